import type { Decision } from '../../model/decision.js';
import { type Citation, cite } from '../edge.js';

/** A change that was held in a period, and what became of it. */
export interface HeldChange {
  readonly subject: string;
  readonly action: Decision['action'];
  readonly hold: Citation;
  /** `made`: it was written later, with the person who approved it, if one did. `pending`: still held at the end. */
  readonly end: 'made' | 'rejected' | 'ended' | 'pending';
  readonly by?: string;
  readonly endedBy?: Citation;
}

/** Of the decisions of a period, newest first. */
export function toHeldChanges(newestFirst: readonly Decision[]): readonly HeldChange[] {
  const later = new Map<string, Decision>();
  const held: HeldChange[] = [];
  for (const decision of newestFirst) {
    const { subject, outcome, action, type } = decision;
    if (outcome === 'held')
      held.push({ subject, action, hold: cite(decision), ...endOf(later.get(subject)) });
    if (outcome === 'applied' || outcome === 'refused' || type.endsWith('.released'))
      later.set(subject, decision);
  }
  return held.toReversed();
}

function endOf(later: Decision | undefined): Pick<HeldChange, 'end' | 'by' | 'endedBy'> {
  if (later === undefined) return { end: 'pending' };
  const by = later.principal === undefined ? {} : { by: later.principal.id };
  const end = later.outcome === 'refused' ? 'rejected' : later.outcome === 'applied' ? 'made' : 'ended';
  return { end, ...by, endedBy: cite(later) };
}
