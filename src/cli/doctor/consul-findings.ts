import type { Config } from '../../../config/config.js';
import { foreignObjects } from '../../acl/plan/foreign-acl.js';
import type { Consul, ConsulFacts } from '../../consul/consul.js';
import type { AclSnapshot } from '../../model/acl.js';
import { hasOurName } from '../../plan/object-names.js';
import { useOf, wantsAcl } from './acl-use.js';
import { error, type Finding, namesText, notice, ok, tryRead, warning } from './finding.js';
import { flawFindings } from './known-flaws.js';
import { skewFinding } from './skew.js';

const OLDEST = [1, 14, 0] as const;
/** The oldest version whose proxies enforce JWT requirements in intentions. */
const ENFORCES_USERS = [1, 16, 1] as const;

/** The blocking queries of one daemon, the connections that it keeps free, and some for its reads. */
const CONNECTIONS = 32;

/** Whether Consul is reachable, new enough, default-deny, and readable with our token. */
export async function consulFindings(
  config: Config,
  consul: Consul,
  now: () => number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const inspected = await tryRead(() => consul.inspect(signal), signal);
  if (inspected.why !== undefined)
    return [
      error(
        'consul.reachable',
        `Consul at ${config.consul.address} does not answer, or not as expected: ${inspected.why}`,
        'check consul.address, consul.token and the network',
      ),
    ];
  const facts = inspected.value;
  return [
    ok('consul.reachable', `Consul answers at ${config.consul.address}, datacenter ${facts.datacenter}`),
    versionFinding(facts.version, config),
    ...(await agentFindings(facts.version, config, consul, signal)),
    aclFinding(facts),
    policyFinding(facts),
    ...flawFindings(facts.version, useOf(config)),
    ...(facts.serverTime === undefined ? [] : skewFinding('consul.clock', 'Consul', facts.serverTime, now())),
    ...(await readFindings(config, consul, signal)),
    ...(await connectionFindings(consul, signal)),
  ];
}

/** Consul takes 200 connections of one address, whoever opens them there. */
async function connectionFindings(consul: Consul, signal: AbortSignal): Promise<readonly Finding[]> {
  const id = 'consul.connections';
  const left = await tryRead(() => consul.connectionsLeft(CONNECTIONS, signal), signal);
  if (left.why !== undefined) return [];
  if (left.value === CONNECTIONS)
    return [ok(id, `Consul takes ${CONNECTIONS} more connections from this address`)];
  const remedy =
    'see which process holds them (ss -tnp), raise limits.http_max_conns_per_client in the configuration of Consul, or set consul.address to a Unix socket of the agent';
  const message = `Consul takes only ${left.value} more connections from this address; a daemon uses about ${CONNECTIONS}, and what cannot get one waits`;
  return [left.value === 0 ? error(id, message, remedy) : warning(id, message, remedy)];
}

function versionFinding(version: string, config: Config): Finding {
  const id = 'consul.version';
  const needsUsers = useOf(config).users;
  if (version === 'unknown')
    return notice(id, 'the version of Consul cannot be read', 'give the token agent:read');
  if (isOlder(version, OLDEST)) return error(id, `Consul ${version} is too old`, 'use Consul 1.14 or newer');
  if (needsUsers && isOlder(version, ENFORCES_USERS)) {
    return error(
      id,
      `Consul ${version} cannot enforce user: required and onBehalfOf, so access by these rules stays closed`,
      'use Consul 1.16.1 or newer, or remove user: required from the rules and onBehalfOf from the actors',
    );
  }
  return ok(id, `Consul ${version}`);
}

/** Each agent configures its own proxies, and an old agent leaves out what it does not know. */
async function agentFindings(
  version: string,
  config: Config,
  consul: Consul,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const id = 'consul.agents';
  if (!useOf(config).users || version === 'unknown' || isOlder(version, ENFORCES_USERS)) return [];
  const versions = await tryRead(() => consul.jwtProviders.agentVersions(signal), signal);
  if (versions.why !== undefined) {
    const message = `the list of Consul agents cannot be read: ${versions.why}`;
    return [error(id, message, 'give the token node:read on every node')];
  }
  const old = versions.value.filter((each) => isOlder(each, ENFORCES_USERS));
  if (old.length === 0) return [ok(id, 'every Consul agent can enforce user: required')];
  return [
    error(
      id,
      `agents with Consul ${old.join(', ')} would let calls through without a token, so access by user: required and onBehalfOf stays closed`,
      'update every agent to Consul 1.16.1 or newer, and remove agents that no longer exist (consul force-leave)',
    ),
  ];
}

function isOlder(version: string, than: readonly number[]): boolean {
  const parts = version.split(/[.+-]/).map((part) => Number.parseInt(part, 10) || 0);
  for (const [index, least] of than.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}

function aclFinding({ aclsEnabled }: ConsulFacts): Finding {
  return aclsEnabled
    ? ok('consul.acl', 'ACLs are on')
    : error(
        'consul.acl',
        'ACLs are off: everyone who can reach Consul may change intentions and claims',
        'set acl.enabled = true and acl.default_policy = "deny" in the configuration of Consul',
      );
}

function policyFinding({ defaultPolicy }: ConsulFacts): Finding {
  const id = 'consul.default-policy';
  switch (defaultPolicy) {
    case 'deny':
      return ok(id, 'the mesh denies every call that no intention allows');
    case 'allow':
      return error(
        id,
        'the mesh allows every call that no intention denies, so revoking a scope closes nothing',
        'set acl.default_policy = "deny" (or default_intention_policy) in the configuration of Consul',
      );
    case 'unknown':
      return warning(id, 'the default policy of the mesh cannot be read', 'give the token agent:read');
  }
}

/** The reads that the daemon depends on. An answer that ACLs filter is not the same as an empty one. */
async function readFindings(
  config: Config,
  consul: Consul,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const attempt = async (what: string, id: string, permission: string, read: () => Promise<unknown>) => {
    const { why } = await tryRead(read, signal);
    return why === undefined
      ? ok(id, `${what} can be read completely`)
      : error(id, `${what} cannot be read completely: ${why}`, `give the token ${permission}`);
  };
  let objects: AclSnapshot | undefined;
  const findings = await Promise.all([
    attempt('intentions', 'consul.read-intentions', 'intentions:read on every service', () =>
      consul.intentions.list(signal),
    ),
    attempt(
      'the catalog',
      'consul.read-catalog',
      'service:read and node:read on every service and node',
      () => consul.readCatalog(signal),
    ),
    ...(config.services.claims === 'first'
      ? [
          attempt('the claim records', 'consul.read-claims', `key:write on scopemesh/${config.owner}/`, () =>
            consul.claims.list(signal),
          ),
        ]
      : []),
    ...(wantsAcl(config)
      ? [
          attempt('ACL objects', 'consul.read-acl', 'acl = "write"', async () => {
            objects = await consul.acl.read((name) => hasOurName(config.owner, name), signal);
          }),
        ]
      : []),
  ]);
  return objects === undefined ? findings : [...findings, markFinding(config.owner, objects)];
}

/** Such an object keeps giving access, whatever the identity provider says. */
function markFinding(owner: string, objects: AclSnapshot): Finding {
  const id = 'acl.marks';
  const foreign = foreignObjects(owner, objects).map(
    ({ kind, object }) => `${kind.replace(/^acl-/, '')} ${object.name}`,
  );
  if (foreign.length === 0) return ok(id, 'every ACL object with a scopemesh name has its mark');
  return warning(
    id,
    `${foreign.length} ACL objects have a scopemesh name without its mark, so scopemesh leaves them and their access unchanged: ${namesText(foreign)}`,
    'scopemesh adopt adopts those that already match the desired state; remove the others',
  );
}
