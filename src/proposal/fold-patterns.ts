import { groupBy } from '../model/group-by.js';
import type { Access } from '../model/intention.js';
import type { Rule } from '../model/rule.js';
import { covers, digest, union } from '../plan/access.js';
import { accessOf } from '../plan/openings.js';
import { compilePattern, createPatternCompiler } from '../plan/pattern.js';
import { matchRule } from '../plan/rule-match.js';
import { type ProposalInput, type ProposedRule, scopeText, type UnusedScope } from './proposal.js';
import { clientsOf } from './propose-claims.js';

const CAPTURE = 'service';

/**
 * Replaces rules that differ in their destination alone by one with a pattern (`{service}:read`), where the pattern opens
 * exactly what they open: for each scope at the identity providers that it matches, the rules open the same already.
 */
export function foldPatterns(
  rules: readonly ProposedRule[],
  input: Pick<ProposalInput, 'mapping' | 'world' | 'canWrite'>,
): readonly ProposedRule[] {
  const compile = createPatternCompiler();
  const folding = rules.flatMap((proposed) => {
    const pattern = proposed.evidence === 'name' ? toPattern(proposed.rule) : undefined;
    return pattern === undefined ? [] : { proposed, pattern };
  });
  const groups = groupBy(folding, ({ pattern }) =>
    JSON.stringify([pattern.scope, pattern.provider, pattern.api, digest(accessOf(pattern))]),
  );
  const opens = accessByScope(rules, input);
  const scopes = scopesOf(input);
  const folded = new Map<ProposedRule, ProposedRule>();
  for (const members of groups.values()) {
    const [first, ...others] = members;
    if (first === undefined || others.length === 0 || !input.canWrite(first.pattern)) continue;
    const { pattern } = first;
    const isSame = scopes.every(({ provider, scope }) => {
      const captures = matchRule(pattern, provider, scope, input.mapping, compile);
      const destination = captures?.[CAPTURE];
      if (destination === undefined) return true;
      return covers(opens.get(openingKey({ provider, scope }, destination)), accessOf(pattern));
    });
    if (!isSame) continue;
    const one: ProposedRule = { rule: pattern, evidence: 'name' };
    for (const { proposed } of members) folded.set(proposed, one);
  }
  return [...new Set(rules.map((each) => folded.get(each) ?? each))];
}

/** The rule with a capture for the destination, if its scope contains the name where the pattern finds it again. */
function toPattern(rule: Rule): Rule | undefined {
  const { scope, to } = rule;
  if (to === undefined) return undefined;
  for (let at = scope.indexOf(to); at >= 0; at = scope.indexOf(to, at + 1)) {
    const pattern: string = `${scope.slice(0, at)}{${CAPTURE}}${scope.slice(at + to.length)}`;
    if (pattern !== `{${CAPTURE}}` && compilePattern(pattern).match(scope)?.[CAPTURE] === to)
      return { ...rule, scope: pattern, to: `{${CAPTURE}}` };
  }
  return undefined;
}

type Scope = Pick<UnusedScope, 'provider' | 'scope'>;

function openingKey(scope: Scope, destination: string): string {
  return `${destination} ${scopeText(scope)}`;
}

function accessByScope(
  rules: readonly ProposedRule[],
  { mapping }: Pick<ProposalInput, 'mapping'>,
): ReadonlyMap<string, Access> {
  const found = new Map<string, Access>();
  for (const { rule } of rules) {
    const { scope: name, api, provider = mapping.providers[0] ?? '', to = '' } = rule;
    const scope = { name, ...(api === undefined ? {} : { api }) };
    const key = openingKey({ provider, scope }, to);
    const access = union(found.get(key), accessOf(rule));
    if (access !== undefined) found.set(key, access);
  }
  return found;
}

/** Each scope of any client, a disabled one or one without a service too. */
function scopesOf({ world }: Pick<ProposalInput, 'world'>): readonly Scope[] {
  const all = clientsOf(world).flatMap(({ provider, grants }) =>
    grants.map((scope) => ({ provider, scope })),
  );
  return [...new Map(all.map((each) => [scopeText(each), each])).values()];
}
