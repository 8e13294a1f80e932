import { Cron } from 'croner';
import { principalText } from '../model/cause.js';
import type { Freeze, FreezeSchedule } from '../model/freeze.js';

/**
 * The freeze of a schedule at an instant: the last one that began, if its duration is not over. A begin in the hour that the
 * clocks skip in spring is at the end of that hour; one in the hour that they repeat in autumn is in the first of the two.
 */
export function scheduledFreeze(
  { schedule, durationMs, timeZone }: FreezeSchedule,
  now: number,
): Freeze | undefined {
  // The reference itself does not count, and a schedule has whole seconds.
  const reference = new Date((Math.floor(now / 1000) + 1) * 1000);
  const [begin] = toCron(schedule, timeZone).previousRuns(1, reference);
  if (begin === undefined) return undefined;
  const [since, until] = [begin.getTime(), begin.getTime() + durationMs];
  const freeze: Freeze = { kind: 'scheduled', since, until };
  return isOver(freeze, now) ? undefined : freeze;
}

/** Whether the time of a freeze has passed. */
export function isOver({ until = Number.POSITIVE_INFINITY }: Freeze, now: number): boolean {
  return until <= now;
}

/** The freeze of several that ends last. */
export function longestFreeze(freezes: readonly (Freeze | undefined)[]): Freeze | undefined {
  const end = ({ until = Number.POSITIVE_INFINITY }: Freeze) => until;
  return freezes.reduce(
    (most, each) => (most === undefined || (each !== undefined && end(each) > end(most)) ? each : most),
    undefined,
  );
}

/** Why a change waits, and what ends that. */
export function freezeText({ kind, until, reason, by }: Freeze): string {
  const end = until === undefined ? 'until scopemesh freeze end' : `until ${new Date(until).toISOString()}`;
  return kind === 'scheduled'
    ? `guards.freeze lets only revocations pass ${end}`
    : `${by === undefined ? 'a person' : principalText(by)} started a freeze, which lets only revocations pass ${end}: ${reason ?? 'no reason given'}`;
}

function toCron(schedule: string, timezone: string): Cron {
  return new Cron(schedule, { timezone, paused: true });
}
