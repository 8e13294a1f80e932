import type { Config } from '../../../config/config.js';
import { type ServiceTokens, serviceTokens } from '../../acl/plan/service-tokens.js';
import { countTokens } from '../../acl/plan/token-report.js';
import type { AclCacheSeconds, Consul, ConsulFacts } from '../../consul/consul.js';
import { messageOf, SyncError } from '../../errors.js';
import type { AclToken } from '../../model/acl.js';
import type { Catalog } from '../../model/catalog.js';
import { durationText } from '../terminal/duration-text.js';
import { wantsAcl } from './acl-use.js';
import { error, type Finding, namesText, notice, ok, warning } from './finding.js';

/** A sidecar that renews its token does so before less than this share of its life is left. */
const RENEWED = 1 / 3;

const SIDECARS = 'sidecars.tokens';
const RENEW =
  'renew the token as deploy/sidecar-login.sh does (register the service again and restart the proxy), or use a token that does not expire';

/** Static tokens, the tokens of sidecars and agents, and how long agents accept a revoked token. */
export async function aclFindings(
  config: Config,
  consul: Consul,
  facts: ConsulFacts,
  catalog: Catalog | undefined,
  now: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const proxied = proxiedServices(catalog);
  return [
    ...(facts.aclsEnabled ? await tokenReads(consul, proxied, now, signal) : []),
    ...(wantsAcl(config) ? [cacheFinding(facts.aclCache)] : []),
    ...(proxied.length === 0 ? [] : [drainFinding()]),
  ];
}

async function tokenReads(
  consul: Consul,
  proxied: readonly string[],
  now: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const tokens = await consul.acl.tokens('all', signal);
    const own = await consul.readAclToken(signal);
    const findings = [countFinding(tokens, own?.accessorId), ...agentFindings(tokens, now)];
    if (proxied.length === 0) return findings;
    const objects = await consul.acl.read(() => true, signal);
    const faults = [...sidecarFaults(serviceTokens(proxied, tokens, objects), now)];
    const good = ok(
      SIDECARS,
      'every service with a sidecar has a valid ACL token of its own that does not expire',
    );
    return [...findings, ...(faults.length === 0 ? [good] : faults)];
  } catch (cause) {
    signal.throwIfAborted();
    const isWeak = cause instanceof SyncError && cause.code === 'ERR_CONSUL_DENIED';
    return [
      notice(
        'acl.tokens',
        isWeak
          ? 'static tokens and the tokens of sidecars are not checked, because the ACL token may not read ACLs'
          : `the list of ACL tokens is incomplete: ${messageOf(cause)}`,
        'run scopemesh doctor once with a token that has acl = "read"',
      ),
    ];
  }
}

function countFinding(tokens: readonly AclToken[], ownId: string | undefined): Finding {
  const id = 'acl.tokens';
  const counts = countTokens(tokens.filter(({ accessorId }) => accessorId !== ownId));
  const still = counts.static + counts['static-expiring'];
  const all = `${tokens.length} ACL tokens: ${still} static (${counts['static-expiring']} of them expire), ${counts.management} for management, ${counts.login} from logins`;
  const beside = `${all}; without the token in use here`;
  return still === 0
    ? ok(id, beside)
    : notice(
        id,
        beside,
        'run scopemesh tokens --static to see what each may do and which login could replace it',
      );
}

/** Consul does not show which token a proxy uses, so each service is judged by the tokens that it could use. */
function* sidecarFaults(services: ReadonlyMap<string, ServiceTokens>, now: number): Iterable<Finding> {
  const id = SIDECARS;
  const [dead, strange]: [string[], string[]] = [[], []];
  for (const [serviceName, { own, wide, unclear }] of services) {
    if (own.length + unclear.length === 0) (wide.length === 0 ? dead : strange).push(serviceName);
    const last = lastToEnd(own);
    if (last === undefined || unclear.length > 0) continue;
    const left = (last.end - now) / 1000;
    const message = `${endText(own.length, serviceName, left)}; a sidecar whose token has expired receives no further denials, and still looks healthy`;
    const isRenewed = last.token.authMethod !== undefined && left > RENEWED * last.lifeSeconds;
    yield isRenewed ? notice(id, message, RENEW) : warning(id, message, RENEW);
  }
  if (dead.length > 0)
    yield error(
      id,
      `no valid ACL token may write ${namesText(dead)}: their sidecars use a token that no longer exists and receive no further denials`,
      'register these services again with a valid token, and restart their proxies with it',
    );
  if (strange.length > 0)
    yield warning(
      id,
      `services without a valid ACL token of their own: ${namesText(strange)}; their sidecars use either a token that may write every service, or one that no longer exists and then receive no further denials; Consul does not show which`,
      'give each service its own token, register it again with that token and restart its proxy; if the token of an Envoy itself is gone, ADMIN/stats?filter=control_plane.connected_state is 0; nothing shows that the token of a registration is gone',
    );
}

/** The token that expires last; undefined if one of them does not expire. */
function lastToEnd(tokens: readonly AclToken[]) {
  const ends = tokens.map((aclToken) => {
    const end = Date.parse(aclToken.expiresAt ?? '');
    return { token: aclToken, end, lifeSeconds: (end - Date.parse(aclToken.createdAt)) / 1000 };
  });
  if (ends.some(({ end }) => Number.isNaN(end))) return undefined;
  return ends.toSorted((a, b) => b.end - a.end)[0];
}

function endText(count: number, whose: string, seconds: number): string {
  const last = durationText(seconds);
  return count === 1
    ? `the only ACL token of ${whose} expires in ${last}`
    : `all ${count} ACL tokens of ${whose} expire, the last one in ${last}`;
}

/** An agent whose token has expired cannot register anything. */
function agentFindings(tokens: readonly AclToken[], now: number): readonly Finding[] {
  const byNode = new Map<string, AclToken[]>();
  for (const aclToken of tokens)
    for (const node of aclToken.nodeIdentities) byNode.set(node, [...(byNode.get(node) ?? []), aclToken]);
  return [...byNode].flatMap(([node, own]) => {
    const last = lastToEnd(own);
    if (last === undefined) return [];
    return warning(
      'agents.tokens',
      `${endText(own.length, `node ${node}`, (last.end - now) / 1000)}; an agent that uses one cannot register anything after that`,
      'give agents tokens that do not expire, or set a new one in time with consul acl set-agent-token',
    );
  });
}

/** From the configuration of the one agent that answers. Servers do not cache their own tokens. */
function cacheFinding(cache: AclCacheSeconds | undefined): Finding {
  const id = 'acl.cache';
  if (cache === undefined)
    return notice(
      id,
      'how long agents accept a revoked token cannot be read: by default 30 s, but access by a role ends at once',
      'give the token agent:read',
    );
  const { role, policy, token } = cache;
  const times = `roles for ${role} s, tokens for ${token} s, policies for ${policy} s`;
  if (role > 0)
    return warning(
      id,
      `access can outlive a revocation by ${durationText(Math.max(role, token))}: this agent caches ${times}`,
      'set acl.role_ttl = "0s" on every client agent; all access that scopemesh gives comes from roles, so it then ends at once',
    );
  return ok(
    id,
    `access by a role ends at once: this agent caches ${times}; other agents may have other settings`,
  );
}

function drainFinding(): Finding {
  return notice(
    'envoy.drain-time',
    'an open connection outlives a denial by the drain time of its Envoy, which is 600 s by default; Consul does not know it',
    'check each Envoy: curl -s ADMIN/server_info | jq .command_line_options.drain_time; start it with -- --drain-time-s 5, or another time that you accept',
  );
}

/** The services whose proxies enforce intentions: those with a sidecar, and terminating gateways. */
function proxiedServices(catalog: Catalog | undefined): readonly string[] {
  const found = (catalog?.services ?? []).flatMap(({ name, instances }) =>
    instances.flatMap(({ kind, proxyOf }) => (kind === 'terminating-gateway' ? name.name : (proxyOf ?? []))),
  );
  return [...new Set(found)].toSorted();
}
