import { formatPath } from '../../config/config-error.js';
import type { Rule } from '../model/rule.js';

/** Where each rule is in the configuration file: `scopes."orders:read"`, or `scopes.reports[1]` in a list. */
export function ruleNames(rules: readonly Rule[]): ReadonlyMap<Rule, string> {
  const counts = new Map<string, number>();
  for (const { scope } of rules) counts.set(scope, (counts.get(scope) ?? 0) + 1);
  const seen = new Map<string, number>();
  return new Map(
    rules.map((rule) => {
      const { scope } = rule;
      const index = seen.get(scope) ?? 0;
      seen.set(scope, index + 1);
      return [rule, formatPath(counts.get(scope) === 1 ? ['scopes', scope] : ['scopes', scope, index])];
    }),
  );
}
