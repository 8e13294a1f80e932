import { expect, it } from 'vitest';
import { TokenBucket } from '../../src/model/token-bucket.js';

const NEVER = new AbortController().signal;

function slept() {
  const waits: number[] = [];
  const clock = {
    at: 1_000,
    now: () => clock.at,
    sleep: async (ms: number) => {
      waits.push(ms);
    },
  };
  return { clock, waits };
}

it('gives a turn to a burst at once, and then to one at each interval', async () => {
  const bucket = new TokenBucket({ burst: 2, everyMs: 100 });
  const { clock, waits } = slept();
  for (let count = 0; count < 4; count++) await bucket.turn(clock, NEVER);
  expect(waits).toEqual([100, 200]);
  clock.at += 400;
  await bucket.turn(clock, NEVER);
  expect(waits).toHaveLength(2);
});

it('owes no turn for the time by which its clock was set back', async () => {
  const bucket = new TokenBucket({ burst: 1, everyMs: 100 });
  const { clock, waits } = slept();
  await bucket.turn(clock, NEVER);
  clock.at -= 3_600_000;
  await bucket.turn(clock, NEVER);
  expect(waits).toEqual([100]);
});

it('gives no turn once the signal is aborted', async () => {
  const bucket = new TokenBucket({ burst: 1, everyMs: 100 });
  const stop = AbortSignal.abort(new Error('stopped'));
  await expect(bucket.turn(slept().clock, stop)).rejects.toThrow('stopped');
  expect(bucket.mayPass(1_000)).toBe(true);
});
