import { compareText } from '../../model/compare-text.js';
import type { Decision } from '../../model/decision.js';
import { type Citation, cite } from '../edge.js';

/** How long changes took, from the first sight of their cause to the answer of Consul. */
export interface Latencies {
  readonly count: number;
  /** Changes whose decision has no time. */
  readonly untimed: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
  readonly maxMs?: number;
  /** Upper bounds of the bars of the chart; the last bar has no bound. */
  readonly bars: readonly { readonly upToMs: number | null; readonly count: number }[];
  readonly slowest: readonly (Citation & { readonly ms: number; readonly subject: string })[];
}

const BOUNDS = [10, 50, 100, 500, 1_000, 2_000, 5_000, 30_000, 300_000] as const;
const MAX_SLOWEST = 20;

/** Only changes with an event behind them: what a timer or a command found has no event to count from. */
const FROM_EVENTS: ReadonlySet<string> = new Set(['webhook', 'poll', 'order', 'fan-out']);

export function isFromEvent({ cause }: Decision): boolean {
  return FROM_EVENTS.has(cause.kind);
}

/** The nearest rank; undefined for no numbers. */
export function percentileOf(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function toLatencies(changes: readonly Decision[]): Latencies {
  const timed = changes
    .flatMap((decision) =>
      decision.latencyMs === undefined || !isFromEvent(decision)
        ? []
        : [{ ...cite(decision), subject: decision.subject, ms: decision.latencyMs }],
    )
    .toSorted((a, b) => a.ms - b.ms || compareText(a.id, b.id));
  const sorted = timed.map(({ ms }) => ms);
  const at = (share: number) => percentileOf(sorted, share) ?? 0;
  return {
    count: timed.length,
    untimed: changes.length - timed.length,
    ...(timed.length === 0 ? {} : { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1) }),
    bars: [...BOUNDS, null].map((upToMs, index) => {
      const above = index === 0 ? -1 : (BOUNDS[index - 1] ?? 0);
      return {
        upToMs,
        count: timed.filter(({ ms }) => ms > above && (upToMs === null || ms <= upToMs)).length,
      };
    }),
    slowest: timed.slice(-MAX_SLOWEST).toReversed(),
  };
}
