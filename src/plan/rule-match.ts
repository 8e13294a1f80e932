import type { Grant } from '../model/client.js';
import type { Mapping, Rule } from '../model/rule.js';
import type { PatternCompiler } from './pattern.js';

/**
 * What the pattern of a rule captures of a grant; undefined where the rule is about another scope. A scope is
 * (provider, api, name): a rule without an API is about scopes of no API, one without a provider about those of the
 * only provider there is.
 */
export function matchRule(
  rule: Pick<Rule, 'scope' | 'provider' | 'api'>,
  provider: string,
  grant: Grant,
  mapping: Pick<Mapping, 'providers'>,
  compile: PatternCompiler,
): Readonly<Record<string, string>> | undefined {
  const ruleProvider = rule.provider ?? (mapping.providers.length === 1 ? mapping.providers[0] : undefined);
  if (ruleProvider !== provider || rule.api !== grant.api) return undefined;
  return compile(rule.scope).match(grant.name);
}
