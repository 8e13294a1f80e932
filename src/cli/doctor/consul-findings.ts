import type { Config } from '../../../config/config.js';
import type { Consul, ConsulFacts } from '../../consul/consul.js';
import { messageOf } from '../../errors.js';
import type { AclSnapshot } from '../../model/acl.js';
import { foreignObjects } from '../../plan/acl/foreign-acl.js';
import { hasOurName } from '../../plan/acl/object-names.js';
import { useOf, wantsAcl } from './acl-use.js';
import { error, type Finding, namesText, notice, ok, warning } from './finding.js';
import { flawFindings } from './known-flaws.js';
import { skewFinding } from './skew.js';

const OLDEST = [1, 14, 0] as const;
/** JWT requirements in intentions that its proxies enforce. */
const ENFORCES_USERS = [1, 16, 1] as const;

/** Consul itself: reachable, new enough, closed by default, and open to our token as far as is needed. */
export async function consulFindings(
  config: Config,
  consul: Consul,
  now: () => number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  let facts: ConsulFacts;
  try {
    facts = await consul.inspect(signal);
  } catch (cause) {
    signal.throwIfAborted();
    return [
      error(
        'consul.reachable',
        `Consul at ${config.consul.address} does not answer as it should: ${messageOf(cause)}`,
        'check consul.address, consul.token and the network',
      ),
    ];
  }
  return [
    ok('consul.reachable', `Consul answers at ${config.consul.address}, datacenter ${facts.datacenter}`),
    versionFinding(facts.version, config),
    ...(await agentFindings(facts.version, config, consul, signal)),
    aclFinding(facts),
    policyFinding(facts),
    ...flawFindings(facts.version, useOf(config)),
    ...(facts.serverTime === undefined ? [] : skewFinding('consul.clock', 'Consul', facts.serverTime, now())),
    ...(await readFindings(config, consul, signal)),
  ];
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
      `Consul ${version} cannot enforce user: required and onBehalfOf, so what those open stays closed`,
      'use Consul 1.16.1 or newer, or take user: required out of the rules and onBehalfOf out of the actors',
    );
  }
  return ok(id, `Consul ${version}`);
}

/** An agent makes the configuration of its own proxies, and an old one leaves out what it does not know. */
async function agentFindings(
  version: string,
  config: Config,
  consul: Consul,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const id = 'consul.agents';
  if (!useOf(config).users || version === 'unknown' || isOlder(version, ENFORCES_USERS)) return [];
  try {
    const versions = await consul.jwtProviders.agentVersions(signal);
    const old = versions.filter((each) => isOlder(each, ENFORCES_USERS));
    if (old.length === 0) return [ok(id, 'every agent of Consul can enforce user: required')];
    return [
      error(
        id,
        `agents of Consul ${old.join(', ')} would let calls through without a token, so what user: required and onBehalfOf open stays closed`,
        'bring every agent to Consul 1.16.1 or newer, and remove those that are gone (consul force-leave)',
      ),
    ];
  } catch (cause) {
    signal.throwIfAborted();
    return [
      error(
        id,
        `the agents of Consul cannot be listed: ${messageOf(cause)}`,
        'give the token node:read on all',
      ),
    ];
  }
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
        'ACLs are off: anyone who reaches Consul may change intentions and claims',
        'set acl.enabled = true and acl.default_policy = "deny" in the configuration of Consul',
      );
}

function policyFinding({ defaultPolicy }: ConsulFacts): Finding {
  const id = 'consul.default-policy';
  switch (defaultPolicy) {
    case 'deny':
      return ok(id, 'the mesh denies what no intention allows');
    case 'allow':
      return error(
        id,
        'the mesh allows what no intention denies, so a revoked scope closes nothing',
        'set acl.default_policy = "deny" (or default_intention_policy) in the configuration of Consul',
      );
    case 'unknown':
      return warning(id, 'the default policy of the mesh cannot be read', 'give the token agent:read');
  }
}

/** The reads that the daemon depends on; one that ACLs filter is told apart from an empty one. */
async function readFindings(
  config: Config,
  consul: Consul,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const attempt = async (what: string, id: string, permission: string, read: () => Promise<unknown>) => {
    try {
      await read();
      return ok(id, `${what} can be read completely`);
    } catch (cause) {
      signal.throwIfAborted();
      return error(
        id,
        `${what} cannot be read completely: ${messageOf(cause)}`,
        `give the token ${permission}`,
      );
    }
  };
  let objects: AclSnapshot | undefined;
  const findings = await Promise.all([
    attempt('intentions', 'consul.read-intentions', 'intentions:read on every service', () =>
      consul.intentions.list(signal),
    ),
    attempt('the catalog', 'consul.read-catalog', 'service:read and node:read on everything', () =>
      consul.readCatalog(signal),
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

/** Somebody who has such an object keeps what it gives, whatever the identity provider says. */
function markFinding(owner: string, objects: AclSnapshot): Finding {
  const id = 'acl.marks';
  const foreign = foreignObjects(owner, objects).map(
    ({ kind, object }) => `${kind.replace(/^acl-/, '')} ${object.name}`,
  );
  if (foreign.length === 0) return ok(id, "every ACL object with a name of scopemesh's carries its mark");
  return warning(
    id,
    `${foreign.length} ACL objects have a name of scopemesh's and not its mark, and stay with what they give: ${namesText(foreign)}`,
    'scopemesh adopt takes over those that are as they should be; remove the others',
  );
}
