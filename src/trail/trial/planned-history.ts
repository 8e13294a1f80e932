import type { Trail } from '../../decisions/trail.js';
import { configError } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { type Citation, cite } from '../edge.js';
import { isChange } from '../subject-state.js';
import { type PlannedEdge, plannedByDecision } from './planned-edge.js';

/** What was planned for an edge from one decision to the next. */
export interface PlannedPeriod {
  readonly planned: PlannedEdge;
  /** The decision that says so; it may be older than the trial. */
  readonly since: Citation;
  /** ISO 8601, when something else was planned, or nothing; absent at the end of the trail. */
  readonly until?: string;
}

/** By the subject of the edge; the periods of each, oldest first. */
export type PlannedHistory = ReadonlyMap<string, readonly PlannedPeriod[]>;

/** What the trail says of a time. */
interface PastPlans {
  readonly history: PlannedHistory;
  /** ISO 8601, when it begins. */
  readonly from: string;
  /** When scopemesh itself last changed Consul within the time: until then it did not only observe. */
  readonly written: string | undefined;
  /** Edges whose plan at `from` was not found: too many other decisions are newer. */
  readonly unread: number;
}

/** What is read of one edge, from the newest decision to the oldest. */
interface EdgeReading {
  readonly newestFirst: PlannedPeriod[];
  readonly oldest: Pick<Decision, 'id' | 'time'>;
}

/** Periods that are kept in memory. */
const MAX_PERIODS = 200_000;
/** Of one edge, before the trial, that say nothing about plans. */
const MAX_OTHERS = 100;

/**
 * What the trail says was planned until `to`, since `from` (ISO 8601); with `orWrite` since the last write to Consul, if that
 * is later. Throws ERR_CONFIG if that is too much.
 */
export async function readPastPlans(
  trail: Trail,
  { from: earliest, to, orWrite }: { readonly from: string; readonly to: string; readonly orWrite: boolean },
): Promise<PastPlans> {
  const edges = new Map<string, EdgeReading>();
  let from = earliest;
  let written: string | undefined;
  let count = 0;
  for await (const decision of trail.history('all', { from, to })) {
    if (decision.time < from) break;
    if (written === undefined && isWrite(decision)) {
      written = decision.time;
      if (orWrite) from = written;
    }
    if (take(edges, decision) && ++count > MAX_PERIODS)
      throw configError(
        `there are more than ${MAX_PERIODS} decisions since ${from}; ask for a shorter time with --from`,
      );
  }
  let unread = 0;
  for await (const subject of trail.subjects({ prefix: 'intention/' })) {
    const earlier = await lastPlan(trail, subject, from);
    if (earlier === 'unread') unread++;
    else if (earlier !== undefined && earlier.id !== edges.get(subject)?.oldest.id) take(edges, earlier);
  }
  const history = new Map(
    [...edges].map(([subject, { newestFirst }]) => [subject, newestFirst.toReversed()]),
  );
  return { history, from, written, unread };
}

/** True if the decision says something about plans. */
function take(edges: Map<string, EdgeReading>, decision: Decision): boolean {
  const planned = plannedByDecision(decision);
  if (planned === undefined) return false;
  const { subject, id, time } = decision;
  const newer = edges.get(subject);
  const newestFirst = newer?.newestFirst ?? [];
  if (planned !== 'ended')
    newestFirst.push({
      planned,
      since: cite(decision),
      ...(newer === undefined ? {} : { until: newer.oldest.time }),
    });
  edges.set(subject, { newestFirst, oldest: { id, time } });
  return true;
}

function isWrite(decision: Decision): boolean {
  return decision.outcome === 'applied' && isChange(decision) && decision.resource.kind !== 'client';
}

async function lastPlan(trail: Trail, subject: string, at: string): Promise<Decision | 'unread' | undefined> {
  let others = 0;
  for await (const decision of trail.newestFirst(subject, at)) {
    if (plannedByDecision(decision) !== undefined) return decision;
    if (++others === MAX_OTHERS) return 'unread';
  }
  return undefined;
}

/** What was planned for an edge at an instant. */
export function plannedAt(periods: readonly PlannedPeriod[] = [], at: string): PlannedEdge | undefined {
  return periods.findLast(({ since, until }) => since.time <= at && (until === undefined || at < until))
    ?.planned;
}
