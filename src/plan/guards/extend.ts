import { covers, union } from '../access.js';
import { parseBreakGlassText } from '../break-glass.js';
import type { DestinationInput } from '../destination-input.js';
import { parseGrantText } from '../grant-text.js';
import { EXTEND_FORBIDS } from '../mode.js';
import { type Change, type Hold, toHold } from '../plan.js';
import { fallbackIntention } from '../precedence.js';

/** Mode `extend` narrows nothing: the widening part of a change is made and the rest is held. The planner applies it first. */
export function extendOnly(
  change: Change,
  input: DestinationInput,
): { readonly change: Change | undefined; readonly held: Hold | undefined } {
  if (change.before === undefined && isNarrowerThanWildcard(change, input)) {
    const detail =
      'mode is extend: an exact intention would take away access that a wider intention gives to this source';
    return { change: undefined, held: toHold(change, 'ModeForbids', detail) };
  }
  if (!change.narrows && change.after !== undefined) return { change, held: undefined };
  const held = toHold(change, 'ModeForbids', EXTEND_FORBIDS);
  if (!change.widens || change.before === undefined || change.before.kind === 'other')
    return { change: undefined, held };
  return {
    held,
    change: {
      ...change,
      after: union(change.before, change.after),
      action: 'grant',
      reason: input.grantReason,
      scopes: [
        ...new Set(
          change.opensBy.flatMap((text) =>
            parseBreakGlassText(text) === undefined ? parseGrantText(text).name : [],
          ),
        ),
      ],
      narrows: false,
      isInferred: false,
    },
  };
}

function isNarrowerThanWildcard(change: Change, { entry, wildcard }: DestinationInput): boolean {
  const wider = fallbackIntention(change.source, entry, wildcard);
  return wider !== undefined && (wider.access.kind === 'other' || !covers(change.after, wider.access));
}
