import { describe, expect, it } from 'vitest';
import { createNotifier } from '../src/notifier.js';
import { type Attempt, repeat, retryMs } from '../src/repeat.js';
import { createMovableClock } from './support/movable-clock.js';

/** How long `repeat` waited after each of these attempts. */
async function waits(
  attempts: readonly Attempt[],
  intervalMs: number,
  longestMs?: number,
): Promise<number[]> {
  const stop = new AbortController();
  const found: number[] = [];
  const clock = {
    now: () => 0,
    async sleep(ms: number) {
      found.push(ms);
      if (found.length === attempts.length) stop.abort();
    },
  };
  const work = async () => attempts[found.length] ?? 'done';
  await repeat(intervalMs, work, clock, stop.signal, longestMs);
  return found;
}
const failed: Attempt = { failed: true };

describe('What is done regularly', () => {
  it('waits its interval, a tenth more or less', async () => {
    for (const wait of await waits(['done', 'done', 'done'], 10_000)) {
      expect(wait).toBeGreaterThanOrEqual(9_000);
      expect(wait).toBeLessThanOrEqual(11_000);
    }
  });

  it('is tried again within a second after a failure, then less and less often, up to a limit', async () => {
    const found = await waits(
      Array.from({ length: 8 }, () => failed),
      3_600_000,
      20_000,
    );
    const most = [1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000];
    found.forEach((wait, at) => {
      expect(wait).toBeLessThanOrEqual(most[at] ?? 0);
      expect(wait).toBeGreaterThanOrEqual((most[at] ?? 0) / 2);
    });
  });

  it('begins again after a success, and never waits longer than its interval', async () => {
    const found = await waits([failed, failed, failed, 'done', failed], 500);
    expect(Math.max(...found)).toBeLessThanOrEqual(550);
    const [, , , , again = 0] = await waits([failed, failed, failed, 'done', failed], 60_000);
    expect(again).toBeLessThanOrEqual(1_000);
  });

  it('waits for as long as the other side asks', async () => {
    expect(await waits([{ failed: true, retryAfterMs: 90_000 }], 30_000)).toEqual([90_000]);
  });

  it('waits differently each time, so that those who failed together come back apart', () => {
    expect(retryMs(5, 60_000, 0, () => 0)).toBe(8_000);
    expect(retryMs(5, 60_000, 0, () => 1)).toBe(16_000);
    expect(retryMs(1_000, 60_000, 0, () => 1)).toBe(60_000);
  });
});

describe('What may be woken', () => {
  /** How often it ran, with an interval of an hour. */
  async function hourly(attempt: Attempt, isHint = true) {
    const [clock, hints, stop] = [createMovableClock(), createNotifier(), new AbortController()];
    let runs = 0;
    const work = async () => {
      runs++;
      return attempt;
    };
    const wake = isHint ? { wait: hints.wait, isHint } : hints;
    void repeat(3_600_000, work, clock, stop.signal, undefined, wake);
    const runsAfter = async (ms: number) => {
      await new Promise(setImmediate);
      clock.advance(ms);
      await new Promise(setImmediate);
      return runs;
    };
    expect(await runsAfter(10_000)).toBe(1);
    return { hints, runsAfter };
  }

  it('is done at once and once more three seconds later, and then waits its interval', async () => {
    const { hints, runsAfter } = await hourly('done');
    hints.notify();
    expect(await runsAfter(0)).toBe(2);
    expect(await runsAfter(2_900)).toBe(2);
    expect(await runsAfter(100)).toBe(3);
    expect(await runsAfter(3_000_000)).toBe(3);
  });

  it('is done at most once a second, and forgets no wake-up of that time', async () => {
    const { hints, runsAfter } = await hourly('done');
    hints.notify();
    expect(await runsAfter(0)).toBe(2);
    for (let times = 0; times < 100; times++) hints.notify();
    expect(await runsAfter(900)).toBe(2);
    expect(await runsAfter(100)).toBe(3);
  });

  it('is done at once and no second time if it was no mere hint', async () => {
    const { hints, runsAfter } = await hourly('done', false);
    hints.notify();
    expect(await runsAfter(3_000_000)).toBe(2);
    hints.notify();
    expect(await runsAfter(0)).toBe(3);
  });

  it('waits after a failure, because a server that refuses must not get requests sooner', async () => {
    const stop = new AbortController();
    let woken = 0;
    const clock = { now: () => 0, sleep: async () => stop.abort() };
    const wake = async () => void woken++;
    await repeat(3_600_000, async () => failed, clock, stop.signal, undefined, { wait: wake });
    expect(woken).toBe(0);
  });
});
