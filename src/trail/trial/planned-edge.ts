import { type Decision, HOLD_REASONS, type HoldReason, isMade, type Reason } from '../../model/decision.js';
import { isDelay } from '../../plan/holds.js';
import type { ActualAccess, Hold } from '../../plan/plan.js';
import { toAccess } from '../content.js';
import { type EdgePlace, placeOf } from '../edge.js';

/** What enforcing would do with one edge, by a plan or by a decision of mode `observe`. */
export interface PlannedEdge extends EdgePlace {
  readonly subject: string;
  /** What scopemesh owns there. */
  readonly before: ActualAccess;
  readonly after: ActualAccess;
  readonly reason: Reason;
  readonly client?: NonNullable<Decision['client']>;
  readonly scopes: readonly string[];
  /** Enforcing holds it for this reason first. */
  readonly heldBy?: HoldReason;
}

/** Somebody else's source is where scopemesh would write its own. */
const IN_THE_WAY: readonly HoldReason[] = ['ForeignSource', 'ManagedElsewhere', 'LegacyEntry', 'MarkLost'];

/** What the scopes open for pairs at which a source of others is in the way, by subject. */
export function desiredByHolds(holds: readonly Hold[]): ReadonlyMap<string, ActualAccess> {
  return new Map(
    holds
      .filter(({ reason }) => IN_THE_WAY.includes(reason))
      .map(({ subject, after }) => [subject, after] as const),
  );
}

/** Undefined for a hold of something else, and for one that no mode would end. */
export function plannedByHold(hold: Hold): PlannedEdge | undefined {
  const { reason, changeReason, before, after, client } = hold;
  if (reason !== 'ModeForbids' && !isDelay(reason)) return undefined;
  const place = placeOf(hold.resource);
  return (
    place && {
      subject: hold.subject,
      ...place,
      before,
      after,
      reason: changeReason ?? reason,
      scopes: hold.scopes,
      ...(client === undefined ? {} : { client }),
      ...(reason === 'ModeForbids' ? {} : { heldBy: reason }),
    }
  );
}

/** `ended`: nothing is planned for the edge any more. Undefined: the decision says nothing about plans. */
export function plannedByDecision(decision: Decision): PlannedEdge | 'ended' | undefined {
  const { subject, resource, outcome, reason, action, changeReason, client, scopes = [] } = decision;
  const place = placeOf(resource);
  if (place === undefined) return undefined;
  // A new plan comes after the end of a hold.
  if (isMade(decision) || reason === 'HoldEnded') return 'ended';
  const heldBy = HOLD_REASONS.find((each) => each === reason && isDelay(each));
  const isPlanned = reason === 'ModeForbids' && outcome === 'observed';
  if (!isPlanned && (heldBy === undefined || outcome !== 'held')) return undefined;
  if (action === 'none') return 'ended';
  return {
    subject,
    ...place,
    before: toAccess(decision.before),
    after: toAccess(decision.after),
    reason: changeReason ?? reason,
    scopes,
    ...(client === undefined ? {} : { client }),
    ...(heldBy === undefined ? {} : { heldBy }),
  };
}
