import { type AclSnapshot, type AclToken, MANAGEMENT_POLICY_ID } from '../../model/acl.js';
import { compareText } from '../compare.js';
import { RulesFault } from './rules-syntax.js';
import { type AclRules, grantRules, parseRules } from './rules-text.js';

/** The policies and roles that tokens are made of: everybody's, with their rules. */
export type GrantObjects = Pick<AclSnapshot, 'policies' | 'roles'>;

/** What a token, or whoever logs in as a client, may do: all that adds up. */
export interface Power {
  /** Everything, by Consul's own policy for that. */
  readonly isManagement: boolean;
  /** Texts of rules, canonical where scopemesh reads them; two that are equal give the same. */
  readonly rules: ReadonlySet<string>;
  readonly services: ReadonlySet<string>;
  /** What counts beside rules and services, in words: identities of nodes, templates, what a datacenter limits. */
  readonly more: ReadonlySet<string>;
}

type Links = Pick<
  AclToken,
  'policies' | 'roles' | 'serviceIdentities' | 'nodeIdentities' | 'templatedPolicies'
>;

/** What tokens may do by their own links and by their roles; for many tokens of the same objects. */
export function createPowers(objects: GrantObjects): (token: Links) => Power {
  const policies = byName(objects.policies);
  const roles = byName(objects.roles);
  const texts = new Map(
    objects.policies.map(({ object }) => [object.name.toLowerCase(), canonicalRules(object.rules)]),
  );
  return (token) => {
    const rules = new Set<string>();
    const services = new Set(token.serviceIdentities);
    const more = new Set([
      ...token.nodeIdentities.map((node) => `identity of node ${node}`),
      ...token.templatedPolicies.map((name) => `template ${name}`),
    ]);
    const linked = new Set(token.policies);
    for (const name of token.roles) {
      const role = roles.get(name.toLowerCase());
      if (role === undefined) more.add(`role ${name}, which was not read`);
      for (const policy of role?.object.policies ?? []) linked.add(policy);
      for (const service of role?.object.serviceIdentities ?? []) services.add(service);
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

/** In few words, sorted; rules that scopemesh cannot read are said to be there. */
export function powerText({ isManagement, rules, services, more }: Power): readonly string[] {
  if (isManagement) return ['everything'];
  const texts = [...rules].flatMap((text) => {
    const read = readRules(text);
    return read === undefined ? ['rules that scopemesh does not read'] : rulesTexts(read);
  });
  const identities = [...services].map((service) => `identity of service ${service}`);
  return [...new Set([...texts, ...identities, ...more])].toSorted(compareText);
}

/**
 * Whether who has the rules of `wide` certainly can do what those of `narrow` give. That every rule of the second is
 * among the first is not enough: in Consul a `deny`, or a rule about a longer name, takes away what another gives. So
 * what is more may only be about other resources, or give all that there is to give.
 */
export function isWithin(narrow: readonly SingleRule[], wide: readonly SingleRule[]): boolean {
  if (narrow.length === 0) return false;
  if (!narrow.every((rule) => wide.some((other) => gives(other, rule)))) return false;
  const touched = new Set(narrow.map(({ resource }) => familyOf(resource)));
  const saysIntentions = narrow.some(({ intentions }) => intentions !== undefined);
  return wide
    .filter((other) => !narrow.some((rule) => isSameRule(other, rule)))
    .every(
      ({ resource, policy, intentions }) =>
        !touched.has(familyOf(resource)) ||
        // Where intentions are not spoken of, who may write a service may read them, which is the most there is then.
        (policy === 'write' && intentions === undefined && !(resource === 'service' && saysIntentions)),
    );
}

/** One rule about one name, or about all of Consul. */
export interface SingleRule {
  readonly resource: string;
  readonly name?: string;
  readonly isPrefix?: boolean;
  readonly policy: string;
  readonly intentions?: string;
}

/**
 * All that a power is, rule by rule, with those that Consul makes of a service's identity. Undefined where it is more
 * than rules, or where some cannot be read.
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
    for (const [resource, policy] of Object.entries(read.whole)) found.push({ resource, policy });
    for (const { resource, name, isPrefix, policy, intentions } of read.named)
      found.push({ resource, name, isPrefix, policy, ...(intentions === undefined ? {} : { intentions }) });
  }
  return found.filter((rule, at) => found.findIndex((other) => isSameRule(other, rule)) === at);
}

/** Equal rules have one text. */
function canonicalRules(text: string): string {
  const read = readRules(text);
  return (read === undefined ? undefined : grantRules(read, {})?.text) ?? text.trim();
}

/** Undefined where they have something that scopemesh does not know. */
export function readRules(text: string): AclRules | undefined {
  try {
    return parseRules(text);
  } catch (error) {
    if (error instanceof RulesFault) return undefined;
    throw error;
  }
}

function rulesTexts({ whole, named }: AclRules): readonly string[] {
  return [
    ...Object.entries(whole).map(([resource, policy]) => `${resource} ${policy}`),
    ...named.map(({ resource, isPrefix, name, policy, intentions }) => {
      const word = isPrefix ? `${resource}_prefix` : resource;
      return `${word} ${JSON.stringify(name)} ${policy}${intentions === undefined ? '' : `, intentions ${intentions}`}`;
    }),
  ];
}

/** Whether the one rule gives what the other does, where both are about the same. */
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

/** Where no rule is about the mesh or peerings, that of the operator counts for them, so that these three are one. */
function familyOf(resource: string): string {
  return ['mesh', 'peering'].includes(resource) ? 'operator' : resource;
}

function identityRules(service: string): readonly SingleRule[] {
  return [
    { resource: 'service', name: service, isPrefix: false, policy: 'write' },
    { resource: 'service', name: `${service}-sidecar-proxy`, isPrefix: false, policy: 'write' },
    { resource: 'service', name: '', isPrefix: true, policy: 'read' },
    { resource: 'node', name: '', isPrefix: true, policy: 'read' },
  ];
}

function byName<T extends { readonly object: { readonly name: string } }>(
  all: readonly T[],
): ReadonlyMap<string, T> {
  return new Map(all.map((each) => [each.object.name.toLowerCase(), each]));
}
