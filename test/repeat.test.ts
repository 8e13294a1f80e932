import { describe, expect, it } from 'vitest';
import { type Attempt, repeat, retryMs } from '../src/repeat.js';
import { aborted } from './support/aborted.js';

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
  /** Attempts made until the third; `wake` answers at once, `sleep` never. */
  async function run(
    attempts: readonly Attempt[],
  ): Promise<{ readonly slept: number; readonly woken: number }> {
    const stop = new AbortController();
    const seen = { slept: 0, woken: 0 };
    let made = 0;
    const clock = {
      now: () => 0,
      sleep: (_: number, signal?: AbortSignal) => {
        seen.slept++;
        return attempts[made - 1] === 'done' ? aborted(signal) : Promise.resolve();
      },
    };
    const work = async () => {
      made++;
      if (made === attempts.length) stop.abort();
      return attempts[made - 1] ?? 'done';
    };
    const wake = async () => {
      seen.woken++;
    };
    await repeat(3_600_000, work, clock, stop.signal, undefined, wake);
    expect(made).toBe(attempts.length);
    return seen;
  }

  it('is done before its time', async () => {
    expect(await run(['done', 'done', 'done'])).toMatchObject({ woken: 3 });
  });

  it('waits after a failure, because a server that refuses must not get requests sooner', async () => {
    expect(await run([failed, failed, failed])).toEqual({ slept: 3, woken: 0 });
  });
});
