import { principalText } from '../../model/cause.js';
import type { Decision } from '../../model/decision.js';
import { type Citation, cite } from '../edge.js';

/** A change that was held in a period, and what became of it. */
export interface HeldChange {
  readonly subject: string;
  readonly action: Decision['action'];
  readonly hold: Citation;
  /** `made`: it was written later. `ended`: it was not wanted any more. `pending`: still held at the end. */
  readonly end: 'made' | 'rejected' | 'ended' | 'pending';
  /** The person who approved or rejected it. */
  readonly by?: string;
  readonly endedBy?: Citation;
}

/** Of the decisions of a period, newest first. */
export function toHeldChanges(newestFirst: readonly Decision[]): readonly HeldChange[] {
  const later = new Map<string, Decision[]>();
  const held: HeldChange[] = [];
  for (const decision of newestFirst) {
    const { subject, outcome, action } = decision;
    const ends = later.get(subject) ?? [];
    if (outcome === 'held') {
      const end = ends.findLast((each) => isEnd(each, decision));
      held.push({ subject, action, hold: cite(decision), ...endOf(end) });
      continue;
    }
    ends.push(decision);
    later.set(subject, ends);
  }
  return held.toReversed();
}

/** Whether a later decision of the subject ended the hold. Another change of the subject does not. */
function isEnd({ outcome, type, action, scopes }: Decision, hold: Decision): boolean {
  if (outcome === 'refused' || type.endsWith('.released')) return true;
  return outcome === 'applied' && action === hold.action && sorted(scopes) === sorted(hold.scopes);
}

function sorted(scopes: readonly string[] = []): string {
  return scopes.toSorted().join(' ');
}

function endOf(later: Decision | undefined): Pick<HeldChange, 'end' | 'by' | 'endedBy'> {
  if (later === undefined) return { end: 'pending' };
  const { outcome } = later;
  const end = outcome === 'refused' ? 'rejected' : outcome === 'applied' ? 'made' : 'ended';
  const by = end === 'rejected' ? later.principal : end === 'made' ? approverOf(later) : undefined;
  return { end, ...(by === undefined ? {} : { by: principalText(by) }), endedBy: cite(later) };
}

/** Without an approval the principal is that of the cause. */
function approverOf({ principal, cause }: Decision): Decision['principal'] {
  const textOf = (each: Decision['principal']) => each && principalText(each);
  return textOf(principal) === textOf(cause.principal) ? undefined : principal;
}
