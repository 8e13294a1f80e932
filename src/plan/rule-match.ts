import type { Grant } from '../model/client.js';
import type { Mapping, Rule } from '../model/rule.js';
import type { PatternCompiler } from './pattern.js';

/**
 * The captures of a rule's pattern for a grant; undefined if the rule does not match. A scope is (provider, api, name): a
 * rule without an API matches scopes without an API, and a rule without a provider those of the only provider.
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
