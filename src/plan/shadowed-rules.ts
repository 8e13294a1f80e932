import { ACTOR_KINDS } from '../model/actor.js';
import type { Mapping, Rule } from '../model/rule.js';
import { covers } from './access.js';
import { accessOf } from './openings.js';
import { compilePattern, substitute } from './pattern.js';

/** A rule that opens nothing that another one does not open too. */
interface ShadowedRule {
  readonly rule: Rule;
  readonly by: Rule;
}

/**
 * Rules that have no effect, because all rules add up. Only what is certain from the mapping alone: the scope of the shadowed
 * rule is literal, or both have the same pattern. Of two equal rules the second is shadowed.
 */
export function shadowedRules({ rules }: Pick<Mapping, 'rules'>): readonly ShadowedRule[] {
  return rules.flatMap((rule, at) => {
    const by = rules.find(
      (other, index) => index !== at && shadows(other, rule) && (index < at || !shadows(rule, other)),
    );
    return by === undefined ? [] : [{ rule, by }];
  });
}

function shadows(outer: Rule, inner: Rule): boolean {
  if (inner.to === undefined || outer.to === undefined) return false;
  if (outer.provider !== inner.provider || outer.api !== inner.api) return false;
  if (outer.userRequired && !inner.userRequired) return false;
  const kinds = inner.actors ?? ACTOR_KINDS;
  if (outer.actors !== undefined && !kinds.every((kind) => outer.actors?.includes(kind))) return false;
  return opensSame(outer, inner) && covers(accessOf(outer), accessOf(inner));
}

/** Whether the outer rule matches every scope of the inner one, with the same destination. */
function opensSame(outer: Rule, inner: Rule): boolean {
  if (outer.scope === inner.scope) return outer.to === inner.to;
  if (/[*{]/.test(inner.scope)) return false;
  const captures = compilePattern(outer.scope).match(inner.scope);
  return captures !== undefined && substitute(outer.to ?? '', captures) === inner.to;
}
