import type { Rule } from '../../model/rule.js';
import type { CallVerdict, JudgedCall, RuleVerdict } from '../../plan/judge-call.js';
import { accessText } from './access-text.js';

/** `allowed for client main/web-app (human)`, or why no rule allows it. */
export function verdictText({ client, destination }: JudgedCall, verdict: CallVerdict): string {
  const who = `client ${client.provider}/${client.clientId} (${verdict.actorKind})`;
  if (verdict.isAllowed) return `allowed to ${who}`;
  if (verdict.isProtected) return `denied: guards.protected lists ${destination}`;
  if (verdict.isUnclear) return `unclear for ${who}: only Envoy can judge an expression of the rule`;
  const scopes = client.grants.map(({ name }) => name).join(' ');
  if (verdict.rules.length === 0)
    return `denied: no rule opens ${destination} for ${scopes === '' ? 'a client without scopes' : `the scopes ${scopes}`} of ${who}`;
  return `denied to ${who}`;
}

/** One line for each rule that decides: those that open the call, or else those that come near. */
export function rulesText(
  { isAllowed, isProtected, actorKind, rules }: CallVerdict,
  names: ReadonlyMap<Rule, string>,
): readonly string[] {
  if (isProtected) return [];
  return rules
    .filter(({ outcome }) => !isAllowed || outcome === 'opens')
    .map((each) => `${names.get(each.rule) ?? each.rule.scope} ${outcomeText(each, actorKind)}`);
}

function outcomeText(
  { outcome, access, scope, needsUser }: RuleVerdict,
  kind: CallVerdict['actorKind'],
): string {
  switch (outcome) {
    case 'opens':
      return `opens ${accessText(access)} (scope ${scope})${needsUser ? " with a user's token" : ''}`;
    case 'needs-user':
      return `opens ${accessText(access)} (scope ${scope}), but only with a user's token`;
    case 'other-request':
      return `opens only ${accessText(access)} (scope ${scope})`;
    case 'unclear':
      return `opens ${accessText(access)} (scope ${scope}), and scopemesh cannot judge this expression of RE2`;
    case 'limited':
      return `is closed to the actor kind ${kind} (scope ${scope})`;
    case 'held':
      return `would open a destination that is not a plain service name, which is held (scope ${scope})`;
  }
}
