import type { Config } from '../../../config/config.js';
import { decidingPrefix, levelsOf, wholeLevel } from '../../acl/plan/merged-rules.js';
import type { AclRules } from '../../acl/plan/rules-text.js';
import { readRules } from '../../acl/plan/token-power.js';
import type { AclTokenFacts, Consul, ConsulFacts } from '../../consul/consul.js';
import { policyOf } from '../../plan/mode.js';
import type { WorldState } from '../../state/world-state.js';
import { useOf, wantsAcl } from './acl-use.js';
import { error, type Finding, NAMES, namesText, notice, ok, tryRead, warning } from './finding.js';
import { capturedDestinations, unreadText, writtenDestinations } from './opened.js';
import {
  closedDestinations,
  excessNames,
  type MissingAccess,
  missingCapturedAccess,
  missingIntentionAccess,
  missingKeyAccess,
  missingResourceAccess,
  writesIntentions,
} from './token-rules.js';

const ID = 'consul.token';

/** The destinations whose intentions scopemesh writes to Consul. With manifests: those that consul-k8s has not taken over. */
type Written = 'all' | 'unknown' | readonly string[];

function writtenToConsul({ manifests }: Consul, { consul: { target } }: Config): Written {
  if (target === undefined) return 'all';
  return manifests?.fromApi()?.map(({ name }) => name) ?? 'unknown';
}

function writesNone(written: Written): boolean {
  return typeof written !== 'string' && written.length === 0;
}

function leastRules(written: Written): string {
  const intentions = writesNone(written) ? 'read' : 'write';
  return `service_prefix "" { policy = "read" intentions = "${intentions}" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" }`;
}

/** Resources without names. A scopemesh token should write them only if the configuration needs it. */
const WHOLE = ['acl', 'keyring', 'mesh', 'operator', 'peering'] as const;

/** Whether the token can do what the configuration needs, and no more. Call it after both sides were read. */
export async function tokenFindings(
  consul: Consul,
  { aclsEnabled }: ConsulFacts,
  config: Config,
  world: WorldState,
  now: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const written = writtenToConsul(consul, config);
  const needed = neededRules(config, written);
  const read = await tryRead(() => consul.readAclToken(signal), signal);
  if (read.why !== undefined)
    return [error(ID, `the ACL token does not work: ${read.why}`, 'set consul.token to a valid token')];
  const aclToken = read.value;
  if (aclToken === undefined)
    return aclsEnabled
      ? [error(ID, 'no ACL token is configured', `set consul.token to a token with these rules: ${needed}`)]
      : [];
  return [...powerFindings(aclToken, config, world, written), ...expiryFindings(aclToken, now)];
}

function powerFindings(
  { isManagement, rules }: AclTokenFacts,
  config: Config,
  world: WorldState,
  written: Written,
): readonly Finding[] {
  const needed = neededRules(config, written);
  if (isManagement) return [strongFinding('is a management token', needed)];
  if (rules === undefined) {
    // A token that may write ACLs may also read them.
    return [
      wantsAcl(config)
        ? error(
            ID,
            'the ACL token may neither read nor write ACLs, which login, groups and acl: rules need',
            `give it these rules: ${needed}`,
          )
        : notice(
            ID,
            'doctor cannot check what the ACL token may write, because the token may not read its own rules (acl:read)',
            `run scopemesh doctor once with acl = "read" among its rules, or make sure that it has these rules, and no rule for a single service that gives less: ${needed}`,
          ),
    ];
  }
  const texts = rules.map(withoutComments).filter((text) => text.trim() !== '');
  const policies = texts.map(readRules).filter((each) => each !== undefined);
  return policies.length === texts.length
    ? readFindings(policies, config, world, written)
    : [unreadFinding(texts, config, written)];
}

/** From the rules, evaluated as Consul does. */
function readFindings(
  policies: readonly AclRules[],
  config: Config,
  world: WorldState,
  written: Written,
): readonly Finding[] {
  const needed = neededRules(config, written);
  const keys = ownKeys(config);
  const byApi = written === 'all';
  const destinations = byApi ? writtenDestinations(world) : written === 'unknown' ? [] : written;
  const closed = closedDestinations(policies, destinations);
  const missing = [
    ...neededWhole(config).map((resource) => missingResourceAccess(policies, resource)),
    ...(config.services.claims === 'first' ? [missingKeyAccess(policies, keys, `${keys}claims/`)] : []),
    ...(closed.length > 0 ? [missingWriteAccess(policies, closed, written)] : []),
  ].filter((missingAccess) => missingAccess !== undefined);
  const findings: Finding[] = [];
  if (byApi && !writesIntentions(policies))
    findings.push(lackFinding(config, ['intentions'], `give it these rules: ${needed}`));
  else {
    if (missing.length > 0)
      findings.push(
        lackFinding(
          config,
          missing.map(({ what }) => what),
          missingAccessRemedy(missing),
        ),
      );
    if (byApi) findings.push(...capturedFindings(policies, closed, world));
    if (policyOf(config).writes)
      findings.push(...quarantineFindings(policies, config), ...leaseFindings(policies, config));
  }
  const whole = WHOLE.filter((resource) => wholeLevel(policies, resource) === 'write');
  const excess = [
    ...whole.filter((resource) => !neededWhole(config).includes(resource)),
    ...excessNames(policies, keys),
    ...(writesNone(written) && writesIntentions(policies) ? ['intentions'] : []),
  ];
  if (excess.length > 0) findings.push(strongFinding(`may write ${excess.join(' and ')}`, needed));
  return findings.some(({ id }) => id === ID)
    ? findings
    : [ok(ID, `the ACL token may write what the configuration needs${unreadText(world)}`), ...findings];
}

function missingWriteAccess(
  policies: readonly AclRules[],
  closed: readonly string[],
  written: Written,
): MissingAccess {
  const missingAccess = missingIntentionAccess(policies, closed);
  if (written === 'all') return missingAccess;
  return { ...missingAccess, what: `${missingAccess.what}, which consul-k8s has not taken over yet` };
}

/** Destinations for which no scope may exist yet. Only a warning, because a token may be narrow on purpose. */
function capturedFindings(
  policies: readonly AclRules[],
  reported: readonly string[],
  world: WorldState,
): readonly Finding[] {
  const left = new Set([...reported, ...world.mapping.protectedServices]);
  return [...capturedDestinations(world)].flatMap(([to, scopes]) => {
    const missingAccess = missingCapturedAccess(policies, to, (name) => left.has(name));
    if (missingAccess === undefined) return [];
    return warning(
      'consul.token-captures',
      `future scopes like ${namesText(scopes)} may need it, but the rules of the ACL token do not let it write ${missingAccess.what}`,
      `${missingAccessRemedy([missingAccess])}; if the token is narrow on purpose, list these services under guards.protected, or name the destinations instead of ${to}`,
    );
  });
}

/** Only a warning: the store has the quarantines too. */
function* quarantineFindings(policies: readonly AclRules[], config: Config): Iterable<Finding> {
  const missingAccess = missingKeyAccess(policies, ownKeys(config), `${ownKeys(config)}quarantine/`);
  if (missingAccess === undefined) return;
  yield warning(
    'consul.token-quarantines',
    `the rules of the ACL token do not let it write ${missingAccess.what}, so a lost store ends the quarantines of compromised clients`,
    missingAccessRemedy([missingAccess]),
  );
}

const SESSION_RULE = 'session_prefix "" { policy = "write" }';

/** Whether the token may lock the key of the leader. Without that nothing is ever written. */
function* leaseFindings(policies: readonly AclRules[], config: Config): Iterable<Finding> {
  const folder = ownKeys(config);
  const [keys] = ['leader', 'cluster'].flatMap(
    (name) => missingKeyAccess(policies, folder, folder + name) ?? [],
  );
  const missing = [missingSessions(policies), keys].filter((each) => each !== undefined);
  if (missing.length === 0) return;
  yield error(
    'consul.token-lease',
    `the rules of the ACL token do not let it write ${missing.map(({ what }) => what).join(' and ')}, so it can never lead, and nothing is written`,
    missingAccessRemedy(missing, (rules) => rules.join(' ')),
  );
}

function missingSessions(policies: readonly AclRules[]): MissingAccess | undefined {
  if (decidingPrefix(levelsOf(policies, 'session'), '')?.level === 'write') return undefined;
  return { what: 'sessions', rules: [SESSION_RULE], forbidding: [] };
}

/** For rules that cannot be parsed: whether one of them gives the access, but not whether another takes it away. */
function unreadFinding(texts: readonly string[], config: Config, written: Written): Finding {
  const needed = neededRules(config, written);
  const may = (rule: RegExp) => texts.some((text) => rule.test(text));
  const writes = new Set<string>(
    WHOLE.filter((resource) => may(new RegExp(`\\b${resource}"?\\s*[=:]\\s*"write"`))),
  );
  // Without a rule for mesh, the rule for operator counts.
  const hasMesh = writes.has('mesh') || (writes.has('operator') && !may(/\bmesh"?\s*[=:]/));
  const resources = neededWhole(config);
  const lacking = [
    ...(writesNone(written) || may(/\bintentions"?\s*[=:]\s*"write"/) ? [] : ['intentions']),
    ...resources.filter((resource) => (resource === 'mesh' ? !hasMesh : !writes.has(resource))),
  ];
  if (lacking.length > 0) return lackFinding(config, lacking, `give it these rules: ${needed}`);
  const excess = [...writes].filter((resource) => !resources.includes(resource));
  if (excess.length > 0) return strongFinding(`may write ${excess.join(' and ')}`, needed);
  return notice(
    ID,
    'the ACL token has the rules that the configuration needs, but doctor cannot parse its other rules (Consul Enterprise, or unknown words) and does not check whether they take some of that away',
    'make sure that none of them gives an opened service less than intentions = "write"',
  );
}

function lackFinding(config: Config, lacking: readonly string[], remedy: string): Finding {
  const message = `the rules of the ACL token do not let it write ${lacking.join(' and ')}`;
  return policyOf(config).writes
    ? error(ID, message, remedy)
    : notice(ID, `${message}; mode: observe writes nothing, but the other modes do`, remedy);
}

function missingAccessRemedy(
  missing: readonly MissingAccess[],
  textOf: (rules: readonly string[]) => string = namesText,
): string {
  const rules = missing.flatMap((missingAccess) => missingAccess.rules);
  const forbidding = missing.flatMap((missingAccess) => missingAccess.forbidding);
  const more = rules.length > NAMES ? ' and likewise for the others' : '';
  return [
    ...(rules.length > 0 ? [`add these rules: ${rules.slice(0, NAMES).join(' ')}${more}`] : []),
    ...(forbidding.length > 0 ? [`remove ${textOf(forbidding)}`] : []),
  ].join(', and ');
}

function strongFinding(why: string, needed: string): Finding {
  return warning(
    ID,
    `the ACL token is stronger than this configuration needs (it ${why})`,
    `use a token with these rules: ${needed}`,
  );
}

/** Removes comments, which may name access that the rules do not give. A `#` within a name stays. */
function withoutComments(rules: string): string {
  return rules.replace(/"(?:[^"\\]|\\.)*"|#.*|\/\/.*|\/\*[\s\S]*?\*\//g, (part) =>
    part.startsWith('"') ? part : ' ',
  );
}

function* expiryFindings({ expiresAt }: AclTokenFacts, now: number): Iterable<Finding> {
  if (expiresAt === undefined) return;
  const hours = Math.round((Date.parse(expiresAt) - now) / 3_600_000);
  yield warning(
    'consul.token-expiry',
    `the ACL token expires in ${hours} h, at ${expiresAt}`,
    'replace it in time, or use a token that does not expire',
  );
}

function neededWhole(config: Config): readonly string[] {
  return [...(wantsAcl(config) ? ['acl'] : []), ...(useOf(config).users ? ['mesh'] : [])];
}

function neededRules(config: Config, written: Written): string {
  return [
    leastRules(written),
    `key_prefix "${ownKeys(config)}" { policy = "write" }`,
    SESSION_RULE,
    ...neededWhole(config).map((resource) => `${resource} = "write"`),
  ].join(' ');
}

/** The KV folder of scopemesh: who leads, who claimed a client first, and which clients are in quarantine. */
function ownKeys({ owner }: Config): string {
  return `scopemesh/${owner}/`;
}
