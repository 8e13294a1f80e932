import type { AclRules, NamedRule } from './rules-text.js';

/** What is given of one name, or of all that begin with it. */
export interface LevelRule {
  readonly name: string;
  readonly isPrefix: boolean;
  /** `deny`, `write`, `list` or `read`. */
  readonly level: string;
}

/** One rule for each name and each beginning. */
export type Levels = ReadonlyMap<string, LevelRule>;

/** Of rules about the very same name, or the very same beginning: a denial counts first, then what gives more. */
const STRENGTH = ['deny', 'write', 'list', 'read'];

/** As Consul merges the rules of all policies of a token. */
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

/** The rule that Consul goes by for a name: the exact one, else that of the longest beginning. */
export function decidingRule(levels: Levels, name: string): LevelRule | undefined {
  return levels.get(keyOf({ name, isPrefix: false })) ?? decidingPrefix(levels, name);
}

/** The rule for all that begins so, of which no narrower one says something else. */
export function decidingPrefix(levels: Levels, head: string): LevelRule | undefined {
  for (let length = head.length; length >= 0; length--) {
    const rule = levels.get(keyOf({ name: head.slice(0, length), isPrefix: true }));
    if (rule !== undefined) return rule;
  }
  return undefined;
}

/** Those about a part of what begins so. */
export function narrowerRules(levels: Levels, head: string): readonly LevelRule[] {
  return [...levels.values()].filter(
    ({ name, isPrefix }) => name.startsWith(head) && !(isPrefix && name === head),
  );
}

/** Of a resource with names, over all policies of a token. */
export function levelsOf(policies: readonly AclRules[], resource: NamedRule['resource']): Levels {
  return mergeLevels(
    namedRules(policies, resource).map(({ name, isPrefix, policy }) => ({ name, isPrefix, level: policy })),
  );
}

/** Of intentions by their destination: where a service's rules say nothing of them, who may see it may read them. */
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

/** Of a resource that is one for all of Consul; undefined where no policy speaks of it. */
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
