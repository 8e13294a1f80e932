import type { Config } from '../../../config/config.js';
import type { AclCacheSeconds, Consul, ConsulFacts } from '../../consul/consul.js';
import { messageOf, SyncError } from '../../errors.js';
import type { AclToken } from '../../model/acl.js';
import type { Catalog } from '../../model/catalog.js';
import { type ServiceTokens, serviceTokens } from '../../plan/acl/service-tokens.js';
import { countTokens } from '../../plan/acl/token-report.js';
import { durationText } from '../terminal/duration-text.js';
import { wantsAcl } from './acl-use.js';
import { error, type Finding, namesText, notice, ok, warning } from './finding.js';

/** So much of its life a token has left when whoever logs in has renewed it. */
const RENEWED = 1 / 3;

const RENEW =
  'let a sidecar renew as deploy/sidecar-login.sh does, by registering the service again and restarting the proxy, or give it a token that does not end';

/** Tokens that are static, that sidecars and agents depend on, and how long agents honour what was taken away. */
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
    ...(wantsAcl(config) ? cacheFindings(facts.aclCache) : []),
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
    return [...findings, ...sidecarFindings(serviceTokens(proxied, tokens, objects), now)];
  } catch (cause) {
    signal.throwIfAborted();
    const isWeak = cause instanceof SyncError && cause.code === 'ERR_CONSUL_DENIED';
    return [
      notice(
        'acl.tokens',
        isWeak
          ? 'static tokens, and those of sidecars, cannot be seen, because the ACL token may not read ACLs'
          : `the ACL tokens cannot be read completely: ${messageOf(cause)}`,
        'run scopemesh doctor once with a token that has acl = "read"',
      ),
    ];
  }
}

function countFinding(tokens: readonly AclToken[], ownId: string | undefined): Finding {
  const id = 'acl.tokens';
  const counts = countTokens(tokens.filter(({ accessorId }) => accessorId !== ownId));
  const still = counts.static + counts['static-expiring'];
  const all = `of ${tokens.length} ACL tokens ${still} are static (${counts['static-expiring']} of them with an end), ${counts.management} for management, ${counts.login} from logins`;
  const beside = `${all}; the one in use here is left out`;
  return still === 0
    ? ok(id, beside)
    : notice(
        id,
        beside,
        'see scopemesh tokens --static for what each may do and whose login would do instead',
      );
}

/** Consul tells nobody which token a proxy uses, so that a service is told by the tokens that it could be. */
function sidecarFindings(services: ReadonlyMap<string, ServiceTokens>, now: number): readonly Finding[] {
  const id = 'sidecars.tokens';
  const findings: Finding[] = [];
  const [dead, strange]: [string[], string[]] = [[], []];
  for (const [service, { own, wide, unclear }] of services) {
    if (own.length + unclear.length === 0) (wide.length === 0 ? dead : strange).push(service);
    const last = lastToEnd(own);
    if (last === undefined || unclear.length > 0) continue;
    const left = (last.end - now) / 1000;
    const message = `${endText(own.length, service, left)}; a sidecar whose token has ended is never told of a denial again, and looks healthy`;
    const isRenewed = last.token.authMethod !== undefined && left > RENEWED * last.lifeSeconds;
    findings.push(isRenewed ? notice(id, message, RENEW) : warning(id, message, RENEW));
  }
  if (dead.length > 0)
    findings.push(
      error(
        id,
        `no live ACL token may write ${namesText(dead)}: their sidecars run with a token that is gone, and are never told of a denial again`,
        'register these services again with a live token, and restart their proxies with it',
      ),
    );
  if (strange.length > 0)
    findings.push(
      warning(
        id,
        `no live ACL token is that of ${namesText(strange)}: their sidecars run with one that may write every service, or with one that is gone and are then never told of a denial again; Consul does not say which`,
        'give each service a token of its own, register it again with that and restart its proxy; of an Envoy whose own token is gone ADMIN/stats?filter=control_plane.connected_state says 0, and of a registration whose token is gone nothing tells',
      ),
    );
  return findings.length === 0
    ? [ok(id, 'every service with a sidecar has a live ACL token of its own that does not end')]
    : findings;
}

/** Of tokens that all end. */
function lastToEnd(tokens: readonly AclToken[]) {
  const ends = tokens.map((token) => {
    const end = Date.parse(token.expiresAt ?? '');
    return { token, end, lifeSeconds: (end - Date.parse(token.createdAt)) / 1000 };
  });
  if (ends.some(({ end }) => Number.isNaN(end))) return undefined;
  return ends.toSorted((a, b) => b.end - a.end)[0];
}

function endText(count: number, whose: string, seconds: number): string {
  const last = durationText(seconds);
  return count === 1
    ? `the only ACL token of ${whose} ends in ${last}`
    : `all ${count} ACL tokens of ${whose} end, the last of them in ${last}`;
}

/** An agent whose token has ended can register nothing and answers to no change. */
function agentFindings(tokens: readonly AclToken[], now: number): readonly Finding[] {
  const byNode = new Map<string, AclToken[]>();
  for (const token of tokens)
    for (const node of token.nodeIdentities) byNode.set(node, [...(byNode.get(node) ?? []), token]);
  return [...byNode].flatMap(([node, own]) => {
    const last = lastToEnd(own);
    if (last === undefined) return [];
    return [
      warning(
        'agents.tokens',
        `${endText(own.length, `node ${node}`, (last.end - now) / 1000)}; an agent that uses one registers nothing after that`,
        'give agents tokens that do not end, or set a new one with consul acl set-agent-token before',
      ),
    ];
  });
}

/** From the configuration of the one agent that answers; servers have no such caches for their own. */
function cacheFindings(cache: AclCacheSeconds | undefined): readonly Finding[] {
  const id = 'acl.cache';
  if (cache === undefined)
    return [
      notice(
        id,
        'how long agents honour a token that was revoked cannot be read: 30 s by default, and at once for what comes of a role',
        'give the token agent:read',
      ),
    ];
  const { role, policy, token } = cache;
  const times = `of roles for ${role} s, of tokens for ${token} s, of policies for ${policy} s`;
  if (role > 0)
    return [
      warning(
        id,
        `a revocation can be outlived by ${durationText(Math.max(role, token))}: the agent asked honours what it knows ${times}`,
        'set acl.role_ttl = "0s" on every client agent; what scopemesh gives comes of roles and then ends at once',
      ),
    ];
  return [
    ok(
      id,
      `what comes of a role ends at once; the agent asked honours what it knows ${times}, and others have settings of their own`,
    ),
  ];
}

function drainFinding(): Finding {
  return notice(
    'envoy.drain-time',
    'an open connection outlives a denial by the drain time of its Envoy, 600 s unless it was started otherwise; Consul does not know it',
    'look at each Envoy: curl -s ADMIN/server_info | jq .command_line_options.drain_time; start it with -- --drain-time-s 5 or what you can bear',
  );
}

function proxiedServices(catalog: Catalog | undefined): readonly string[] {
  const found = (catalog?.services ?? []).flatMap(({ instances }) =>
    instances.flatMap(({ proxyOf }) => proxyOf ?? []),
  );
  return [...new Set(found)].toSorted();
}
