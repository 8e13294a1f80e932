import { compareText } from '../../model/compare-text.js';
import { captureNames, isPlainServiceName, substitute } from '../../plan/pattern.js';
import { rulesString } from './escape.js';
import { type Item, type Place, parseItems, RulesFault } from './rules-syntax.js';

export { RulesFault } from './rules-syntax.js';

/** Resources without names. */
const WHOLE = ['acl', 'keyring', 'mesh', 'operator', 'peering'] as const;
/** Resources with names; each has a form for one name and a form `…_prefix` for all names with this prefix. */
const NAMED = ['agent', 'event', 'key', 'node', 'query', 'service', 'session'] as const;
const ENTERPRISE = ['namespace', 'namespace_prefix', 'partition', 'partition_prefix', 'sentinel'];

/** One rule for a name, or for all names with a prefix. */
export interface NamedRule {
  readonly resource: (typeof NAMED)[number];
  readonly isPrefix: boolean;
  /** May contain `{name}` for a capture of the scope's pattern. */
  readonly name: string;
  readonly policy: string;
  /** Of services only. */
  readonly intentions?: string;
  readonly place: Place;
}

/** Parsed ACL rules of the mapping; every word is known. */
export interface AclRules {
  readonly whole: Readonly<Record<string, string>>;
  readonly named: readonly NamedRule[];
  /** The captures that the rules use, sorted. */
  readonly captures: readonly string[];
}

/** The rules with their captures filled in: the text of a policy. */
export interface GrantedRules {
  /** Canonical JSON: equal rules have equal texts. */
  readonly text: string;
  /** Service names with captures, to check that a scope's name opens no protected service. */
  readonly filledServices: readonly { readonly name: string; readonly isPrefix: boolean }[];
}

/**
 * Parses ACL rules in HCL or JSON. Consul silently ignores unknown words and so grants less than intended, or more if the
 * word was `deny`. Here they are faults. Throws RulesFault.
 */
export function parseRules(text: string): AclRules {
  const whole: Record<string, string> = {};
  const named: NamedRule[] = [];
  for (const item of parseItems(text)) {
    if (isOneOf(WHOLE, item.key)) {
      if (Object.hasOwn(whole, item.key))
        throw new RulesFault(item.place, `${item.key} is set twice; keep one`);
      whole[item.key] = wholePolicy(item);
    } else named.push(...namedRules(item));
  }
  if (Object.keys(whole).length === 0 && named.length === 0)
    throw new RulesFault(
      { line: 1, column: 1 },
      'there is no rule here; write for example key "a" { policy = "read" }',
    );
  const seen = new Set<string>();
  for (const rule of named) {
    const key = JSON.stringify([keywordOf(rule), rule.name]);
    if (seen.has(key))
      throw new RulesFault(
        rule.place,
        `${keywordOf(rule)} ${JSON.stringify(rule.name)} is set twice; keep one`,
      );
    seen.add(key);
  }
  const captures = [...new Set(named.flatMap((rule) => captureNames(rule.name)))].toSorted(compareText);
  return { whole, named, captures };
}

/** A parser that parses each text once; for the few texts of the configuration. */
export function createRulesParser(): (text: string) => AclRules {
  const known = new Map<string, AclRules>();
  return (text) => {
    const rules = known.get(text) ?? parseRules(text);
    known.set(text, rules);
    return rules;
  };
}

/**
 * Fills in captures. Undefined if a capture is missing, is not a plain name, or makes two rules equal. A capture cannot end
 * a prefix (`parseRules` refuses that), so one name never matches another.
 */
export function grantRules(
  rules: AclRules,
  captures: Readonly<Record<string, string>>,
): GrantedRules | undefined {
  const filled: NamedRule[] = [];
  const filledServices: { name: string; isPrefix: boolean }[] = [];
  for (const capture of rules.captures) {
    if (!Object.hasOwn(captures, capture) || !isPlainServiceName(captures[capture] ?? '')) return undefined;
  }
  const seen = new Set<string>();
  for (const rule of rules.named) {
    const name = substitute(rule.name, captures);
    const key = JSON.stringify([keywordOf(rule), name]);
    if (name === undefined || seen.has(key)) return undefined;
    seen.add(key);
    filled.push({ ...rule, name });
    if (rule.resource === 'service' && name !== rule.name)
      filledServices.push({ name, isPrefix: rule.isPrefix });
  }
  const text = toCanonicalText(rules.whole, filled);
  return text === undefined ? undefined : { text, filledServices };
}

function toCanonicalText(whole: AclRules['whole'], named: readonly NamedRule[]): string | undefined {
  const words = new Map<string, string>();
  for (const [word, policy] of Object.entries(whole)) words.set(word, JSON.stringify(policy));
  for (const word of new Set(named.map(keywordOf))) {
    const rules = named
      .filter((rule) => keywordOf(rule) === word)
      .toSorted((a, b) => compareText(a.name, b.name));
    const bodies: string[] = [];
    for (const rule of rules) {
      const name = rulesString(rule.name);
      if (name === undefined) return undefined;
      const intentions = rule.intentions === undefined ? '' : `"intentions":"${rule.intentions}",`;
      bodies.push(`${name}:{${intentions}"policy":"${rule.policy}"}`);
    }
    words.set(word, `{${bodies.join(',')}}`);
  }
  const sorted = [...words].toSorted(([a], [b]) => compareText(a, b));
  return `{${sorted.map(([word, value]) => `"${word}":${value}`).join(',')}}`;
}

function wholePolicy(item: Item): string {
  if (typeof item.value !== 'string' || item.labels.length > 0)
    throw new RulesFault(item.place, `${item.key} takes only a policy; write ${item.key} = "read"`);
  return checkedPolicy(item.value, ['deny', 'read', 'write'], item);
}

function namedRules(item: Item): readonly NamedRule[] {
  const isPrefix = item.key.endsWith('_prefix');
  const word = isPrefix ? item.key.slice(0, -'_prefix'.length) : item.key;
  if (ENTERPRISE.includes(item.key))
    throw new RulesFault(
      item.place,
      `${item.key} is a Consul Enterprise resource, which scopemesh does not support`,
    );
  const resource = NAMED.find((known) => known === word);
  if (resource === undefined) {
    const known = [...WHOLE, ...NAMED.flatMap((each) => [each, `${each}_prefix`])].toSorted(compareText);
    throw new RulesFault(
      item.place,
      `"${item.key.slice(0, 40)}" is not a resource of Consul's ACL language; write one of ${known.join(', ')}`,
    );
  }
  if (typeof item.value === 'string' || item.labels.length > 1)
    throw new RulesFault(
      item.place,
      `${item.key} takes a name and a block; write ${item.key} "a" { policy = "read" }`,
    );
  const [label] = item.labels;
  if (label !== undefined) return [namedRule(resource, isPrefix, label, item.value, item.place)];
  // The JSON form: each key of the block is a name.
  if (item.value.length === 0)
    throw new RulesFault(item.place, `${item.key} has no name; write ${item.key} "a" { policy = "read" }`);
  return item.value.map((each) => {
    if (typeof each.value === 'string' || each.labels.length > 0)
      throw new RulesFault(
        each.place,
        `${item.key} takes a name and a block; write ${item.key} "a" { policy = "read" }`,
      );
    return namedRule(resource, isPrefix, each.key, each.value, each.place);
  });
}

function namedRule(
  resource: NamedRule['resource'],
  isPrefix: boolean,
  name: string,
  body: readonly Item[],
  place: Place,
): NamedRule {
  if (isPrefix && /\{[a-z][a-zA-Z0-9]*\}$/.test(name))
    throw new RulesFault(
      place,
      `the prefix ${JSON.stringify(name)} ends in a capture, so "web" would also match "web-admin"; end it with a character such as "/", or write an exact name`,
    );
  let policy: string | undefined;
  let intentions: string | undefined;
  for (const item of body) {
    if (typeof item.value !== 'string' || item.labels.length > 0)
      throw new RulesFault(
        item.place,
        `"${item.key.slice(0, 40)}" takes a quoted text; write policy = "read"`,
      );
    const isFirst = item.key === 'policy' ? policy === undefined : intentions === undefined;
    if (!isFirst) throw new RulesFault(item.place, `${item.key} is set twice; keep one`);
    if (item.key === 'policy')
      policy = checkedPolicy(
        item.value,
        resource === 'key' ? ['deny', 'list', 'read', 'write'] : ['deny', 'read', 'write'],
        item,
      );
    else if (item.key === 'intentions' && resource === 'service')
      intentions = checkedPolicy(item.value, ['deny', 'read', 'write'], item);
    else
      throw new RulesFault(
        item.place,
        `"${item.key.slice(0, 40)}" is not a field of a ${resource} rule; write policy${resource === 'service' ? ' or intentions' : ''}`,
      );
  }
  if (policy === undefined) throw new RulesFault(place, 'has no policy; write policy = "read"');
  return { resource, isPrefix, name, policy, ...(intentions === undefined ? {} : { intentions }), place };
}

function checkedPolicy(value: string, known: readonly string[], item: Item): string {
  if (!known.includes(value))
    throw new RulesFault(
      item.place,
      `${item.key} cannot be ${JSON.stringify(value.slice(0, 40))}; write ${known.map((each) => `"${each}"`).join(' or ')}`,
    );
  return value;
}

function keywordOf(rule: NamedRule): string {
  return rule.isPrefix ? `${rule.resource}_prefix` : rule.resource;
}

function isOneOf<T extends string>(words: readonly T[], word: string): word is T {
  return words.some((each) => each === word);
}
