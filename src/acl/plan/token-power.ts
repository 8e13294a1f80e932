import { type AclSnapshot, type AclToken, MANAGEMENT_POLICY_ID } from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import { RulesFault } from './rules-syntax.js';
import { type AclRules, grantRules, parseRules } from './rules-text.js';

/** All policies and roles of Consul, with their rules. */
export type GrantObjects = Pick<AclSnapshot, 'policies' | 'roles'>;

/** Everything that a token, or a login of a client, may do. */
export interface Power {
  /** Everything, through Consul's management policy. */
  readonly isManagement: boolean;
  /** Texts of rules, canonical if scopemesh can parse them. Equal texts grant the same. */
  readonly rules: ReadonlySet<string>;
  readonly services: ReadonlySet<string>;
  /** Everything else, in words: node identities, templated policies, limits to datacenters. */
  readonly more: ReadonlySet<string>;
}

type Links = Pick<
  AclToken,
  'policies' | 'roles' | 'serviceIdentities' | 'nodeIdentities' | 'templatedPolicies'
>;

/** A function for the power of tokens by their links and roles; for many tokens with the same objects. */
export function createPowers(objects: GrantObjects): (links: Links) => Power {
  const policies = byName(objects.policies);
  const roles = byName(objects.roles);
  const texts = new Map(
    objects.policies.map(({ object }) => [object.name.toLowerCase(), canonicalRules(object.rules)]),
  );
  return (links) => {
    const rules = new Set<string>();
    const services = new Set(links.serviceIdentities);
    const more = new Set([
      ...links.nodeIdentities.map((node) => `identity of node ${node}`),
      ...links.templatedPolicies.map((name) => `template ${name}`),
    ]);
    const linked = new Set(links.policies);
    for (const name of links.roles) {
      const role = roles.get(name.toLowerCase());
      if (role === undefined) more.add(`role ${name}, which was not read`);
      for (const policy of role?.object.policies ?? []) linked.add(policy);
      for (const serviceName of role?.object.serviceIdentities ?? []) services.add(serviceName);
      if (role?.isAltered === true) more.add(`what role ${name} has beside policies and services`);
    }
    let isManagement = false;
    for (const name of linked) {
      const policy = policies.get(name.toLowerCase());
      const text = texts.get(name.toLowerCase()) ?? '';
      if (policy?.id === MANAGEMENT_POLICY_ID) isManagement = true;
      else if (policy === undefined) more.add(`policy ${name}, which was not read`);
      else if (policy.isAltered) more.add(`policy ${name}, in some datacenters`);
      else if (text !== '') rules.add(text);
    }
    return { isManagement, rules, services, more };
  };
}

/** The services that it can register, as far as it names them. */
export function servicesOf({ services, rules }: Power): readonly string[] {
  const named = [...rules].flatMap((text) =>
    (readRules(text)?.named ?? []).flatMap(({ resource, isPrefix, name, policy }) =>
      resource === 'service' && !isPrefix && policy === 'write' && !name.endsWith(PROXY) ? [name] : [],
    ),
  );
  return [...new Set([...services, ...named])].toSorted(compareText);
}

const PROXY = '-sidecar-proxy';
const UNREADABLE = 'rules that scopemesh does not read';

/** A short description, sorted. It mentions rules that scopemesh cannot parse. */
export function powerText({ isManagement, rules, services, more }: Power): readonly string[] {
  if (isManagement) return ['everything'];
  const texts = [...rules].flatMap((text) => {
    const read = readRules(text);
    return read === undefined ? [UNREADABLE] : rulesOf(read).map(ruleText);
  });
  const identities = [...services].map((serviceName) => `identity of service ${serviceName}`);
  return [...new Set([...texts, ...identities, ...more])].toSorted(compareText);
}

/**
 * Why `wide` does not certainly grant everything that `narrow` grants; empty if it does. It is not enough that `wide`
 * contains the rules of `narrow`: in Consul a `deny`, or a rule for a longer name, takes away what another rule grants. So
 * additional rules may only affect other resources, or grant the highest level.
 */
export function lacking(narrow: readonly SingleRule[], wide: readonly SingleRule[]): readonly string[] {
  const touched = new Set(narrow.map(({ resource }) => familyOf(resource)));
  const saysIntentions = narrow.some(({ intentions }) => intentions !== undefined);
  const missing = narrow.filter((rule) => !wide.some((other) => gives(other, rule)));
  const disturbing = wide.filter(
    (other) =>
      touched.has(familyOf(other.resource)) &&
      !narrow.some((rule) => isSameRule(other, rule)) &&
      !missing.some((rule) => isAboutTheSame(other, rule)) &&
      // Without `intentions`, write access to a service implies read access to them, which is the highest level here.
      (other.policy !== 'write' ||
        other.intentions !== undefined ||
        (other.resource === 'service' && saysIntentions)),
  );
  return [...missing.map(ruleText), ...disturbing.map((rule) => `no rule ${ruleText(rule)}`)];
}

export function isWithin(narrow: readonly SingleRule[], wide: readonly SingleRule[]): boolean {
  return narrow.length > 0 && lacking(narrow, wide).length === 0;
}

/** Rules with the same key are about the same, and no others. */
export function ruleKey({ resource, name, isPrefix }: SingleRule): string {
  return JSON.stringify([resource, isPrefix, name]);
}

/** One rule for one name, or for a resource without names. */
export interface SingleRule {
  readonly resource: string;
  readonly name?: string;
  readonly isPrefix?: boolean;
  readonly policy: string;
  readonly intentions?: string;
}

/**
 * All single rules of a power, including those of service identities. Undefined if the power has more than rules, or rules
 * that cannot be parsed.
 */
export function singleRules({
  isManagement,
  rules,
  services,
  more,
}: Power): readonly SingleRule[] | undefined {
  if (isManagement || more.size > 0) return undefined;
  const found = [...services].flatMap(identityRules);
  for (const text of rules) {
    const read = readRules(text);
    if (read === undefined) return undefined;
    found.push(...rulesOf(read));
  }
  return found.filter((rule, at) => found.findIndex((other) => isSameRule(other, rule)) === at);
}

/** What of a power no login of scopemesh has. */
export function beyondLogins({ isManagement, rules, more }: Power): readonly string[] {
  if (isManagement) return ['everything'];
  return [...([...rules].some((text) => readRules(text) === undefined) ? [UNREADABLE] : []), ...more];
}

function rulesOf({ whole, named }: AclRules): readonly SingleRule[] {
  return [...Object.entries(whole).map(([resource, policy]) => ({ resource, policy })), ...named];
}

/** Equal rules have one text. */
function canonicalRules(text: string): string {
  const read = readRules(text);
  return (read === undefined ? undefined : grantRules(read, {})?.text) ?? text.trim();
}

/** Undefined if the rules contain something unknown. */
export function readRules(text: string): AclRules | undefined {
  try {
    return parseRules(text);
  } catch (error) {
    if (error instanceof RulesFault) return undefined;
    throw error;
  }
}

function ruleText({ resource, name, isPrefix, policy, intentions }: SingleRule): string {
  if (name === undefined) return `${resource} ${policy}`;
  const word = isPrefix === true ? `${resource}_prefix` : resource;
  return `${word} ${JSON.stringify(name)} ${policy}${intentions === undefined ? '' : `, intentions ${intentions}`}`;
}

/** Whether `wide` grants what `narrow` grants; both must be for the same name. */
function gives(wide: SingleRule, narrow: SingleRule): boolean {
  if (isSameRule(wide, narrow)) return true;
  const isMore = wide.policy === 'write' && narrow.policy !== 'deny';
  return isAboutTheSame(wide, narrow) && isMore && wide.intentions === narrow.intentions;
}

function isSameRule(a: SingleRule, b: SingleRule): boolean {
  return isAboutTheSame(a, b) && a.policy === b.policy && a.intentions === b.intentions;
}

function isAboutTheSame(a: SingleRule, b: SingleRule): boolean {
  return a.resource === b.resource && a.name === b.name && a.isPrefix === b.isPrefix;
}

/** Without a rule for `mesh` or `peering` the `operator` rule applies to them, so the three form one family. */
function familyOf(resource: string): string {
  return ['mesh', 'peering'].includes(resource) ? 'operator' : resource;
}

function identityRules(serviceName: string): readonly SingleRule[] {
  return [
    { resource: 'service', name: serviceName, isPrefix: false, policy: 'write' },
    { resource: 'service', name: `${serviceName}${PROXY}`, isPrefix: false, policy: 'write' },
    { resource: 'service', name: '', isPrefix: true, policy: 'read' },
    { resource: 'node', name: '', isPrefix: true, policy: 'read' },
  ];
}

function byName<T extends { readonly object: { readonly name: string } }>(
  all: readonly T[],
): ReadonlyMap<string, T> {
  return new Map(all.map((each) => [each.object.name.toLowerCase(), each]));
}
