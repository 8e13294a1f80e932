import type { Trail } from '../../decisions/trail.js';
import { SyncError } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { type Citation, cite } from '../edge.js';
import { type PlannedEdge, plannedByDecision } from './planned-edge.js';

/** What was planned for an edge without a break. */
export interface PlannedPeriod {
  readonly planned: PlannedEdge;
  /** The decision that says so; it may be older than the trial. */
  readonly since: Citation;
  /** ISO 8601, when something else was planned, or nothing; absent at the end of the trail. */
  readonly until?: string;
}

/** By the subject of the edge; the periods of each, oldest first. */
export type PlannedHistory = ReadonlyMap<string, readonly PlannedPeriod[]>;

/** Decisions about plans that are kept in memory. */
const MOST_DECISIONS = 200_000;
/** Of one edge, that say nothing of plans, before the trial. */
const MOST_OTHERS = 100;

/** What the trail says was planned between two instants (ISO 8601). Throws ERR_CONFIG if that is too much. */
export async function readPlannedHistory(trail: Trail, from: string, to: string): Promise<PlannedHistory> {
  const newestFirst = new Map<string, Decision[]>();
  let count = 0;
  for await (const decision of trail.history('all', { from, to })) {
    if (plannedByDecision(decision) === undefined) continue;
    if (++count > MOST_DECISIONS)
      throw new SyncError(
        'ERR_CONFIG',
        `there are more than ${MOST_DECISIONS} decisions since ${from}; ask for a shorter time with --from`,
        { retriable: false },
      );
    const known = newestFirst.get(decision.subject);
    if (known === undefined) newestFirst.set(decision.subject, [decision]);
    else known.push(decision);
  }
  for await (const subject of trail.subjects({ prefix: 'intention/' })) {
    const earlier = await lastPlan(trail, subject, from);
    const known = newestFirst.get(subject) ?? [];
    if (earlier !== undefined && known.at(-1)?.id !== earlier.id)
      newestFirst.set(subject, [...known, earlier]);
  }
  return new Map([...newestFirst].map(([subject, decisions]) => [subject, toPeriods(decisions)]));
}

async function lastPlan(trail: Trail, subject: string, at: string): Promise<Decision | undefined> {
  let others = 0;
  for await (const decision of trail.newestFirst(subject, at)) {
    if (plannedByDecision(decision) !== undefined) return decision;
    if (++others === MOST_OTHERS) break;
  }
  return undefined;
}

function toPeriods(newestFirst: readonly Decision[]): readonly PlannedPeriod[] {
  const periods: PlannedPeriod[] = [];
  let until: string | undefined;
  for (const decision of newestFirst) {
    const planned = plannedByDecision(decision);
    if (planned !== undefined && planned !== 'ended')
      periods.push({ planned, since: cite(decision), ...(until === undefined ? {} : { until }) });
    until = decision.time;
  }
  return periods.toReversed();
}

/** What was planned for an edge at an instant. */
export function plannedAt(periods: readonly PlannedPeriod[] = [], at: string): PlannedEdge | undefined {
  return periods.findLast(({ since, until }) => since.time <= at && (until === undefined || at < until))
    ?.planned;
}
