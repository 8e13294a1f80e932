import { compareText } from '../../model/compare-text.js';
import { covers } from '../../plan/access.js';
import type { ActualAccess } from '../../plan/plan.js';
import { asAccess, isOpen } from '../content.js';
import type { Citation } from '../edge.js';
import { effectiveWith, isSelected, type MeshNow, namesOf } from './mesh-now.js';
import type { PlannedEdge } from './planned-edge.js';
import type { PlannedHistory, PlannedPeriod } from './planned-history.js';

/** `changes`: it takes away a part and adds another. */
type TrialEffect = 'closes' | 'narrows' | 'changes' | 'opens' | 'widens';

/** An edge whose calls enforcing would change. */
export interface TrialEdge extends Omit<PlannedEdge, 'before' | 'after' | 'subject'> {
  readonly effect: TrialEffect;
  /** What calls may do without enforcing, and with it, by all intentions. */
  readonly before: ActualAccess;
  readonly after: ActualAccess;
  /** A wider intention of others, or the default policy, that the edge replaces. */
  readonly replaces?: string;
  /** The decision from which on it was planned without interruption; absent if the trail has none. */
  readonly since?: Citation;
  /** ISO 8601, the time when it ended; absent while `isStill`. */
  readonly until?: string;
  /** Whether enforcing would do it now. */
  readonly isStill: boolean;
}

export function isBreaking({ effect }: Pick<TrialEdge, 'effect'>): boolean {
  return effect === 'closes' || effect === 'narrows' || effect === 'changes';
}

/**
 * What enforcing would do now by the plan, and what it would have done at some time of the history and would not do now.
 * Of each edge at most one loss and one gain. Intentions of others are taken as they are now.
 */
export function trialEdges(
  plan: readonly PlannedEdge[],
  history: PlannedHistory,
  mesh: MeshNow,
): readonly TrialEdge[] {
  const now = new Map(plan.map((planned) => [planned.subject, planned]));
  const subjects = [...new Set([...now.keys(), ...history.keys()])].toSorted(compareText);
  return subjects.flatMap((subject) => {
    const periods = history.get(subject) ?? [];
    const present = now.get(subject);
    return [isBreaking, (edge: TrialEdge) => !isBreaking(edge)].flatMap((isOfKind) => {
      const found = present && toTrialEdge(present, mesh);
      if (found !== undefined && isOfKind(found)) {
        const since = firstOf(periods, mesh, isOfKind);
        return { ...found, ...(since === undefined ? {} : { since }) };
      }
      return formerEdge(periods, mesh, isOfKind) ?? [];
    });
  });
}

/** The start of the latest continuous run of periods with the same kind of effect. */
function firstOf(
  periods: readonly PlannedPeriod[],
  mesh: MeshNow,
  isOfKind: (edge: TrialEdge) => boolean,
): Citation | undefined {
  let first: PlannedPeriod | undefined;
  for (const period of periods.toReversed()) {
    const isUnbroken = period.until === (first === undefined ? undefined : first.since.time);
    const edge = toTrialEdge(period.planned, mesh);
    if (!isUnbroken || edge === undefined || !isOfKind(edge)) break;
    first = period;
  }
  return first?.since;
}

function formerEdge(
  periods: readonly PlannedPeriod[],
  mesh: MeshNow,
  isOfKind: (edge: TrialEdge) => boolean,
): TrialEdge | undefined {
  for (const { planned, since, until } of periods.toReversed()) {
    const edge = toTrialEdge(planned, mesh);
    if (edge !== undefined && isOfKind(edge))
      return { ...edge, since, ...(until === undefined ? {} : { until }), isStill: false };
  }
  return undefined;
}

/** Undefined if calls stay as they are, and for an edge outside `select`. */
function toTrialEdge(planned: PlannedEdge, mesh: MeshNow): TrialEdge | undefined {
  if (!isSelected(mesh, namesOf(planned).destination)) return undefined;
  const { subject: _, ...rest } = planned;
  const before = effectiveWith(mesh, planned, planned.before);
  const after = effectiveWith(mesh, planned, planned.after);
  const effect = effectOf(before.access, after.access);
  if (effect === undefined) return undefined;
  const isReplaced = before.writer !== 'scopemesh' && isOpen(before.access);
  return {
    ...rest,
    effect,
    before: before.access,
    after: after.access,
    ...(isReplaced ? { replaces: before.by } : {}),
    isStill: true,
  };
}

/** In doubt a change narrows. */
function effectOf(before: ActualAccess, after: ActualAccess): TrialEffect | undefined {
  const [was, is] = [asAccess(before), asAccess(after)];
  const [narrows, widens] = [!covers(is, was), !covers(was, is)];
  if (narrows && !isOpen(after)) return 'closes';
  if (narrows) return widens ? 'changes' : 'narrows';
  if (!widens) return undefined;
  return isOpen(before) ? 'widens' : 'opens';
}
