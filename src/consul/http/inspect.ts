import { SyncError } from '../../errors.js';
import { isRecord } from '../../model/is-record.js';
import type { AclCacheSeconds, ConsulFacts } from '../consul.js';
import { type Raw, Reader } from '../reader.js';
import { parseDurationSeconds } from './acl-duration.js';
import { parseJson } from './answer.js';
import type { Transport } from './transport.js';

/** From `/v1/agent/self`; if the token cannot read it (agent:read), from what every token may read. */
export async function inspectConsul(
  transport: Transport,
  datacenter: string | undefined,
  signal: AbortSignal,
): Promise<ConsulFacts> {
  const operation = 'agent.self';
  const request = { operation, method: 'GET', path: '/v1/agent/self' } as const;
  const answer = await transport.send(request, signal, [200, 403]);
  if (answer.status === 403) {
    // An unknown token is another fault than a lack of agent:read; the list of datacenters would hide it.
    if (/acl not found/i.test(new TextDecoder().decode(answer.body.subarray(0, 100)))) {
      const message =
        'Consul agent.self: Consul does not know this ACL token; set consul.token to a valid one';
      throw new SyncError('ERR_CONSUL_DENIED', message, { retriable: false });
    }
    const at = datacenter ?? (await readOnlyDatacenter(transport, signal));
    return {
      version: 'unknown',
      datacenter: at,
      defaultPolicy: 'unknown',
      aclsEnabled: true,
      ...serverTimeOf(answer.headers.date),
    };
  }
  const reader = new Reader(operation);
  const self = reader.record(parseJson(answer.body, operation));
  const config = reader.record(self.Config);
  const debug = isRecord(self.DebugConfig) ? self.DebugConfig : {};
  const resolver = isRecord(debug.ACLResolverSettings) ? debug.ACLResolverSettings : {};
  const aclsEnabled = debug.ACLsEnabled === true || resolver.ACLsEnabled === true;
  // DefaultIntentionPolicy (newer versions) overrides the ACL policy; without ACLs the mesh allows.
  const aclPolicy = aclsEnabled ? resolver.ACLDefaultPolicy : 'allow';
  return {
    version: reader.text(config.Version),
    datacenter: reader.text(config.Datacenter),
    defaultPolicy: toPolicy(debug.DefaultIntentionPolicy) ?? toPolicy(aclPolicy) ?? 'unknown',
    aclsEnabled,
    ...aclCacheOf(resolver),
    ...serverTimeOf(answer.headers.date),
  };
}

/** `30s` in versions from 1.10 on, otherwise nanoseconds. */
function aclCacheOf(resolver: Raw): { readonly aclCache?: AclCacheSeconds } {
  const [role, policy, tokenTtl] = [resolver.ACLRoleTTL, resolver.ACLPolicyTTL, resolver.ACLTokenTTL].map(
    (ttl) =>
      typeof ttl === 'number' ? ttl / 1e9 : typeof ttl === 'string' ? parseDurationSeconds(ttl) : undefined,
  );
  if (role === undefined || policy === undefined || tokenTtl === undefined) return {};
  return { aclCache: { role, policy, token: tokenTtl } };
}

/** The Date header (RFC 9110, section 6.6.1). */
function serverTimeOf(date: string | undefined): { readonly serverTime?: string } {
  const instant = Date.parse(date ?? '');
  return Number.isNaN(instant) ? {} : { serverTime: new Date(instant).toISOString() };
}

function toPolicy(value: unknown): 'allow' | 'deny' | undefined {
  return value === 'allow' || value === 'deny' ? value : undefined;
}

/** `/v1/catalog/datacenters` needs no permission. With several datacenters it does not show which one is ours. */
async function readOnlyDatacenter(transport: Transport, signal: AbortSignal): Promise<string> {
  const operation = 'datacenters.list';
  const request = { operation, method: 'GET', path: '/v1/catalog/datacenters' } as const;
  const answer = await transport.send(request, signal);
  const [only, ...others] = new Reader(operation).texts(parseJson(answer.body, operation));
  return only === undefined || others.length > 0 ? 'unknown' : only;
}
