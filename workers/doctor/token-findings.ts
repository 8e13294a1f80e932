import type { Config } from '../../config/config.js';
import type { AclTokenFacts, Consul, ConsulFacts } from '../../src/consul/consul.js';
import { messageOf } from '../../src/errors.js';
import { readRules } from '../../src/plan/acl/token-power.js';
import { useOf, wantsAcl } from './acl-use.js';
import { error, type Finding, notice, ok, warning } from './finding.js';

const LEAST_RULES =
  'service_prefix "" { policy = "read" intentions = "write" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" }';

/** Resources that are one for all of Consul and that a token of scopemesh should write only where it has to. */
const WHOLE = ['acl', 'keyring', 'mesh', 'operator', 'peering'] as const;

/** Whether the token in use can do what the configuration needs, and no more than that. */
export async function tokenFindings(
  consul: Consul,
  { aclsEnabled }: ConsulFacts,
  config: Config,
  now: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const id = 'consul.token';
  const needed = neededRules(config);
  let token: AclTokenFacts | undefined;
  try {
    token = await consul.readAclToken(signal);
  } catch (cause) {
    signal.throwIfAborted();
    const message = `the ACL token cannot be used: ${messageOf(cause)}`;
    return [error(id, message, 'set consul.token to a valid token')];
  }
  if (token === undefined)
    return aclsEnabled
      ? [error(id, 'no ACL token is configured', `set consul.token; its rules: ${needed}`)]
      : [];
  return [powerFinding(token, config, needed), ...expiryFindings(token, now)];
}

function powerFinding({ isManagement, rules }: AclTokenFacts, config: Config, needed: string): Finding {
  const id = 'consul.token';
  if (isManagement)
    return warning(
      id,
      'the ACL token is stronger than this configuration needs (it is a management token)',
      `use one with these rules: ${needed}`,
    );
  const wanted = new Set(neededWhole(config));
  if (rules === undefined) {
    // Whoever may write ACLs may read them.
    return wanted.has('acl')
      ? error(
          id,
          'the ACL token may not read ACLs, and so not write them, as login, groups and acl: rules need',
          `give it these rules: ${needed}`,
        )
      : notice(
          id,
          'what the ACL token may write cannot be checked without writing, because it may not read its own rules (acl:read)',
          `see that it has these rules: ${needed}`,
        );
  }
  const texts = rules.map(withoutComments);
  const may = (rule: RegExp) => texts.some((text) => rule.test(text));
  const writes = new Set<string>(
    WHOLE.filter((resource) => may(new RegExp(`\\b${resource}"?\\s*[=:]\\s*"write"`))),
  );
  // Where no rule is about the mesh, that of the operator counts.
  const hasMesh = writes.has('mesh') || (writes.has('operator') && !may(/\bmesh"?\s*[=:]/));
  const lacking = [
    ...(may(/\bintentions"?\s*[=:]\s*"write"/) ? [] : ['intentions']),
    ...(config.services.claims === 'first' && !mayWriteKeys(rules, claimRecords(config))
      ? [`keys under ${claimRecords(config)}`]
      : []),
    ...[...wanted].filter((resource) => (resource === 'mesh' ? !hasMesh : !writes.has(resource))),
  ];
  if (lacking.length > 0)
    return error(
      id,
      `no rule of the ACL token lets it write ${lacking.join(' and ')}`,
      `give it these rules: ${needed}`,
    );
  const excess = [...writes].filter((resource) => !wanted.has(resource));
  if (excess.length > 0)
    return warning(
      id,
      `the ACL token is stronger than this configuration needs (it may write ${excess.join(' and ')})`,
      `use one with these rules: ${needed}`,
    );
  return ok(id, 'the ACL token may write what the configuration needs');
}

/** Whether a rule gives the keys under a prefix; rules that cannot be read here may. */
function mayWriteKeys(rules: readonly string[], prefix: string): boolean {
  const read = rules.map(readRules);
  if (read.includes(undefined)) return true;
  return read
    .flatMap((each) => each?.named ?? [])
    .some(
      ({ resource, isPrefix, name, policy }) =>
        resource === 'key' && isPrefix && policy === 'write' && prefix.startsWith(name),
    );
}

/** Rules as they were written, whose comments may name what they do not give; a `#` within a name stays. */
function withoutComments(rules: string): string {
  return rules.replace(/"(?:[^"\\]|\\.)*"|#.*|\/\/.*|\/\*[\s\S]*?\*\//g, (part) =>
    part.startsWith('"') ? part : ' ',
  );
}

function expiryFindings({ expiresAt }: AclTokenFacts, now: number): readonly Finding[] {
  if (expiresAt === undefined) return [];
  const hours = Math.round((Date.parse(expiresAt) - now) / 3_600_000);
  return [
    warning(
      'consul.token-expiry',
      `the ACL token expires in ${hours} h, at ${expiresAt}`,
      'renew it before, or use one that does not',
    ),
  ];
}

function neededWhole(config: Config): readonly string[] {
  return [...(wantsAcl(config) ? ['acl'] : []), ...(useOf(config).users ? ['mesh'] : [])];
}

function neededRules(config: Config): string {
  return [
    LEAST_RULES,
    ...(config.services.claims === 'first'
      ? [`key_prefix "${claimRecords(config)}" { policy = "write" }`]
      : []),
    ...neededWhole(config).map((resource) => `${resource} = "write"`),
  ].join(' ');
}

/** Where it is kept which service came first. */
function claimRecords({ owner }: Config): string {
  return `scopemesh/${owner}/`;
}
