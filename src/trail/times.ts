import { setImmediate } from 'node:timers/promises';
import type { Trail } from '../decisions/trail.js';
import type { Decision } from '../model/decision.js';
import { groupBy } from '../model/group-by.js';
import { indexLimits, refuseBehind } from './answer.js';
import { isFromEvent, percentileOf } from './evidence/latencies.js';

/** How long changes took over a time, exactly: from the first sight of their cause to the answer of Consul. */
export interface Times {
  /** If the log begins later than what was asked for: its begin. */
  readonly from: string;
  readonly to: string;
  /** What is before this instant did not fit and does not count; null: everything counts. */
  readonly completeSince: string | null;
  readonly unknown: readonly string[];
  readonly all: TimesOf;
  /** Of equal length, oldest first; without those in which nothing was timed. */
  readonly buckets: readonly (TimesOf & { readonly from: string; readonly to: string })[];
  /** The slowest first. */
  readonly slowest: readonly Timed[];
  /** What may explain them, oldest first. */
  readonly marks: readonly { readonly id: string; readonly time: string; readonly reason: string }[];
}

interface TimesOf {
  readonly count: number;
  /** Null if no change was timed. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
}

interface Timed {
  readonly id: string;
  readonly time: string;
  readonly subject: string;
  readonly ms: number;
}

const MOST_READ = 50_000;
const MAX_SLOWEST = 20;
const MAX_MARKS = 50;
const IN_ONE_PIECE = 200;
const MARKS: ReadonlySet<string> = new Set(['LeaderChanged', 'FreezeStarted', 'FreezeEnded']);

/** The newest decisions count if not all fit. Throws as the trail does. */
export async function timesOf(
  trail: Pick<Trail, 'extent' | 'history'>,
  { to, ...asked }: { readonly from: string; readonly to: string },
  { buckets: parts = 48, most = MOST_READ } = {},
): Promise<Times> {
  const extent = await trail.extent();
  refuseBehind(extent, to);
  const { first } = extent;
  const from = first !== undefined && first > asked.from && first < to ? first : asked.from;
  const timed: Timed[] = [];
  const marks: Decision[] = [];
  let read = 0;
  let last: string | undefined;
  let completeSince: string | null = null;
  for await (const decision of trail.history('all', { from, to })) {
    if (read === most) {
      // Older decisions of the same instant may not fit.
      completeSince = new Date(Date.parse(last ?? to) + 1).toISOString();
      break;
    }
    last = decision.time;
    const { id, time, subject, latencyMs } = decision;
    if (latencyMs !== undefined && decision.outcome === 'applied' && isFromEvent(decision))
      timed.push({ id, time, subject, ms: latencyMs });
    if (MARKS.has(decision.reason) && marks.length < MAX_MARKS) marks.push(decision);
    if (++read % IN_ONE_PIECE === 0) await setImmediate();
  }
  const counted = timed.filter(({ time }) => completeSince === null || time >= completeSince);
  const begin = Date.parse(from);
  const length = Math.max(1, Math.ceil((Date.parse(to) - begin + 1) / parts));
  const inParts = groupBy(counted.toReversed(), ({ time }) =>
    Math.max(0, Math.floor((Date.parse(time) - begin) / length)),
  );
  const instant = (part: number) => new Date(begin + part * length).toISOString();
  return {
    ...{ from, to, completeSince },
    unknown: [...limits(first, asked.from), ...indexLimits(extent, to)],
    all: summaryOf(counted),
    buckets: [...inParts]
      .toSorted(([a], [b]) => a - b)
      .map(([part, each]) => ({ from: instant(part), to: instant(part + 1), ...summaryOf(each) })),
    slowest: counted.toSorted((a, b) => b.ms - a.ms).slice(0, MAX_SLOWEST),
    marks: marks.map(({ id, time, reason }) => ({ id, time, reason })).toReversed(),
  };
}

function* limits(first: string | undefined, from: string): Iterable<string> {
  if (first === undefined) yield 'The log is empty.';
  else if (first > from) yield `The log begins at ${first}.`;
}

function summaryOf(timed: readonly Timed[]): TimesOf {
  const sorted = timed.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number) => percentileOf(sorted, share) ?? null;
  return { count: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1) };
}
