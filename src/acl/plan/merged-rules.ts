import type { AclRules, NamedRule } from './rules-text.js';

/** The level for one name, or for all names with this prefix. */
export interface LevelRule {
  readonly name: string;
  readonly isPrefix: boolean;
  /** `deny`, `write`, `list` or `read`. */
  readonly level: string;
}

/** One rule for each name and each prefix. */
type Levels = ReadonlyMap<string, LevelRule>;

/** Of rules for the same name or prefix, `deny` wins, then the higher level. */
const STRENGTH = ['deny', 'write', 'list', 'read'];

/** Merges rules as Consul merges the policies of a token. */
export function mergeLevels(rules: Iterable<LevelRule>): Levels {
  const merged = new Map<string, LevelRule>();
  for (const rule of rules) {
    const key = keyOf(rule);
    const known = merged.get(key);
    if (known === undefined || STRENGTH.indexOf(rule.level) < STRENGTH.indexOf(known.level))
      merged.set(key, rule);
  }
  return merged;
}

/** The rule that Consul applies to a name: the exact one, otherwise that of the longest prefix. */
export function decidingRule(levels: Levels, name: string): LevelRule | undefined {
  return levels.get(keyOf({ name, isPrefix: false })) ?? decidingPrefix(levels, name);
}

/** The rule for names with this beginning, if no narrower rule applies. */
export function decidingPrefix(levels: Levels, head: string): LevelRule | undefined {
  for (let length = head.length; length >= 0; length--) {
    const rule = levels.get(keyOf({ name: head.slice(0, length), isPrefix: true }));
    if (rule !== undefined) return rule;
  }
  return undefined;
}

/** The rules for a part of the names with this beginning. */
export function narrowerRules(levels: Levels, head: string): readonly LevelRule[] {
  return [...levels.values()].filter(
    ({ name, isPrefix }) => name.startsWith(head) && !(isPrefix && name === head),
  );
}

/** The levels of a resource with names, over all policies of a token. */
export function levelsOf(policies: readonly AclRules[], resource: NamedRule['resource']): Levels {
  return mergeLevels(
    namedRules(policies, resource).map(({ name, isPrefix, policy }) => ({ name, isPrefix, level: policy })),
  );
}

/** The levels of intentions, by destination. If the rules of a service do not mention them, `service` read implies read. */
export function intentionLevels(policies: readonly AclRules[]): Levels {
  const explicit = mergeLevels(
    namedRules(policies, 'service').flatMap(({ name, isPrefix, intentions }) =>
      intentions === undefined ? [] : [{ name, isPrefix, level: intentions }],
    ),
  );
  const implied = [...levelsOf(policies, 'service')]
    .filter(([key]) => !explicit.has(key))
    .map(([, rule]) => ({ ...rule, level: rule.level === 'deny' ? 'deny' : 'read' }));
  return mergeLevels([...explicit.values(), ...implied]);
}

/** The level of a resource without names; undefined if no policy mentions it. */
export function wholeLevel(policies: readonly AclRules[], resource: string): string | undefined {
  const explicit = policies.map(({ whole }) =>
    Object.hasOwn(whole, resource) ? whole[resource] : undefined,
  );
  return STRENGTH.find((level) => explicit.includes(level));
}

function namedRules(policies: readonly AclRules[], resource: NamedRule['resource']): readonly NamedRule[] {
  return policies.flatMap(({ named }) => named).filter((rule) => rule.resource === resource);
}

function keyOf({ name, isPrefix }: Pick<LevelRule, 'name' | 'isPrefix'>): string {
  return `${isPrefix ? 'prefix' : 'exact'} ${name}`;
}
