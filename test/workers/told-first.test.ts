import { describe, expect, it } from 'vitest';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { Agenda } from '../../src/queue/agenda.js';
import { DEFAULT_BACKOFF } from '../../src/queue/backoff.js';
import { ConcurrencyLimit } from '../../src/queue/concurrency-limit.js';
import { toldFirst } from '../../workers/told-first.js';

/** Time goes on by the sleeps alone. */
function scene() {
  let now = 0;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  const clock = {
    now: () => now,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((wake, fail) => {
        sleepers.push({ at: now + ms, wake });
        signal?.addEventListener('abort', () => fail(signal.reason), { once: true });
      }),
  };
  const writes = new ConcurrencyLimit({ least: 1, first: 1, most: 1 }, clock);
  const limits = { writes, reads: 1, urgent: 1, durable: 1 };
  const agenda = new Agenda(limits, {
    clock,
    logger: silentLogger,
    metrics: noMetrics,
    backoff: DEFAULT_BACKOFF,
  });
  const advance = async () => {
    const next = sleepers.toSorted((a, b) => a.at - b.at)[0];
    if (next === undefined) return;
    sleepers.splice(sleepers.indexOf(next), 1);
    now = next.at;
    next.wake();
  };
  return { agenda, clock, advance };
}

const COUNTS = { waiting: 0, delayed: 0, active: 0, parked: [] };

/** The time that passes until it resolves. */
async function heldMs(state: (looks: number) => Promise<typeof COUNTS>): Promise<number> {
  const { agenda, clock, advance } = scene();
  let looks = 0;
  let isOver = false;
  const held = toldFirst({ state: () => state(looks++) }, agenda, clock, new AbortController().signal).then(
    () => {
      isOver = true;
    },
  );
  while (!isOver) {
    await new Promise(setImmediate);
    if (!isOver) await advance();
  }
  await held;
  return clock.now();
}

describe('what begins after the events of before the term', () => {
  it('begins at once if there are none, also if some wait for their next try', async () => {
    expect(await heldMs(async () => ({ ...COUNTS, delayed: 3 }))).toBe(0);
  });

  it('begins when none waits or runs any more', async () => {
    const states = [{ waiting: 2 }, { active: 2 }, { active: 1 }];
    expect(await heldMs(async (looks) => ({ ...COUNTS, ...states[looks] }))).toBe(60);
  });

  it('begins after a second if they do not end', async () => {
    expect(await heldMs(async () => ({ ...COUNTS, active: 1 }))).toBe(1_000);
  });

  it('begins at once if the store does not answer', async () => {
    expect(await heldMs(() => Promise.reject(new Error('away')))).toBe(0);
  });

  it('begins at the end of the term', async () => {
    const { agenda, clock } = scene();
    const end = new AbortController();
    const held = toldFirst({ state: async () => ({ ...COUNTS, active: 1 }) }, agenda, clock, end.signal);
    end.abort();
    await expect(held).resolves.toBeUndefined();
  });
});
