import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatKey } from '../../src/model/key.js';
import type { Job } from '../../src/model/trigger.js';
import type { JobResult, Queue } from '../../src/queue/queue.js';
import { until } from '../support/until.js';
import {
  DONE,
  eventIds,
  gate,
  idle,
  key,
  type StartHarness,
  type Store,
  type StoreHarness,
  trigger,
  work,
} from './store-harness.js';

const LEADER = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };

/** The contract of the port `Queue` for jobs that fail, keys that are parked, and a store that starts again. */
export function describeQueueFailures(name: string, start: StartHarness): void {
  describe(`${name} as a queue of jobs that fail`, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    it('retries without counting when the handler asks for it', async () => {
      const attempts: number[] = [];
      const working = work(store.queue, async (job): Promise<JobResult> => {
        attempts.push(job.attempts);
        return attempts.length <= 5 ? { kind: 'retry', afterMs: 1 } : DONE;
      });
      await store.queue.add([trigger('a', '1')]);
      await idle(store.queue);
      await working.stop();
      expect(attempts).toEqual([0, 0, 0, 0, 0, 0]);
    });

    it('counts failures, and forgets them after a success', async () => {
      const attempts: number[] = [];
      const working = work(store.queue, async (job) => {
        attempts.push(job.attempts);
        if (attempts.length < 3) throw new Error('no');
        return DONE;
      });
      await store.queue.add([trigger('a', '1')]);
      await idle(store.queue);
      await store.queue.add([trigger('a', '2')]);
      await idle(store.queue);
      await working.stop();
      expect(attempts).toEqual([0, 1, 2, 0]);
    });

    it('parks a key that fails too often, in sight, while others go on', async () => {
      const ran: string[] = [];
      const working = work(store.queue, async (job) => {
        ran.push(formatKey(job.key));
        if (formatKey(job.key) === key('bad')) throw new Error('consul says no');
        return DONE;
      });
      await store.queue.add([trigger('bad', '1'), trigger('good', '2')]);
      await until('parked', async () => (await store.queue.state()).parked.length === 1);
      await store.queue.add([trigger('good', '3')]);
      await idle(store.queue);
      await working.stop();
      expect(ran.filter((each) => each === key('bad'))).toHaveLength(3);
      expect(ran.filter((each) => each === key('good'))).toHaveLength(2);
      const { parked } = await store.queue.state();
      expect(parked).toEqual([
        {
          key: key('bad'),
          attempts: 3,
          error: 'consul says no',
          since: expect.stringMatching(/^\d{4}-.*Z$/),
        },
      ]);
    });

    it('runs a parked key again after a new trigger, and after unpark, with all its triggers', async () => {
      let fails = true;
      const done: Job[] = [];
      const working = work(store.queue, async (job) => {
        if (fails) throw new Error('no');
        done.push(job);
        return DONE;
      });
      const parked = async (count: number) => (await store.queue.state()).parked.length === count;
      await store.queue.add([trigger('a', '1'), trigger('b', '2')]);
      await until('both parked', () => parked(2));
      fails = false;
      await store.queue.add([trigger('a', '3')]);
      expect(await store.queue.unpark(key('b'), 'run')).toBe('done');
      expect(await store.queue.unpark(key('b'), 'run')).toBe('not-parked');
      expect(await store.queue.unpark(key('unheard-of'), 'run')).toBe('not-parked');
      await idle(store.queue);
      await working.stop();
      expect(await parked(0)).toBe(true);
      expect(done.map(eventIds).sort()).toEqual([['1', '3'], ['2']]);
      expect(done.map((job) => job.attempts)).toEqual([0, 0]);
    });

    it('forgets a parked key that is dropped, and keeps one with an order', async () => {
      const seen: string[] = [];
      const working = work(store.queue, async (job) => {
        seen.push(...eventIds(job).map(String));
        throw new Error('no');
      });
      const { cause } = trigger('b', '2');
      const order = { kind: 'client-disabled', provider: 'main', at: cause.receivedAt, cause } as const;
      await store.queue.add([trigger('a', '1', { urgent: true }), trigger('b', '2', { order })]);
      const parked = async () => (await store.queue.state()).parked.map((each) => each.key);
      await until('both parked', async () => (await parked()).length === 2);
      expect(await store.queue.unpark(key('a'), 'drop')).toBe('done');
      expect(await store.queue.unpark(key('a'), 'drop')).toBe('not-parked');
      expect(await store.queue.unpark(key('b'), 'drop')).toBe('has-order');
      expect(await parked()).toEqual([key('b')]);
      seen.length = 0;
      await store.queue.add([trigger('a', '3')]);
      await until('parked again', async () => (await parked()).length === 2);
      await working.stop();
      expect(seen).toEqual(['3', '3', '3']);
    });

    it('tries again what came during the run that would have parked the key', async () => {
      const last = gate();
      const jobs: Job[] = [];
      const working = work(store.queue, async (job) => {
        jobs.push(job);
        if (jobs.length === 3) await last.opened;
        if (jobs.length <= 3) throw new Error('no');
        return DONE;
      });
      await store.queue.add([trigger('a', '1')]);
      await until('the third run', () => jobs.length === 3);
      await store.queue.add([trigger('a', '2')]);
      last.open();
      await until('the fourth run', () => jobs.length === 4);
      await idle(store.queue);
      await working.stop();
      expect(jobs.map(eventIds)).toEqual([['1'], ['1'], ['1'], ['1', '2']]);
      expect((await store.queue.state()).parked).toEqual([]);
    });

    it('keeps waiting and parked keys over a restart, after which a delayed one waits no longer', async () => {
      const working = work(store.queue, async (job): Promise<JobResult> => {
        if (formatKey(job.key) === key('bad')) throw new Error('no');
        return { kind: 'retry', afterMs: 600_000 };
      });
      await store.queue.add([trigger('bad', '1'), trigger('later', '2')]);
      await until('parked', async () => (await store.queue.state()).parked.length === 1);
      await until('delayed', async () => (await store.queue.state()).delayed === 1);
      await working.stop();
      await store.queue.add([trigger('a', '3')]);
      await store.close();
      store = await harness.open();
      expect(await store.queue.state()).toMatchObject({
        waiting: 2,
        delayed: 0,
        active: 0,
        parked: [{ key: key('bad'), attempts: 3 }],
      });
    });

    const begin = async () => store.lead((await store.fence.raise(LEADER, { above: 0, over: 'any' })) ?? 0);

    it('keeps a key parked over a takeover, unless a trigger came since its last run', async () => {
      const first = await begin();
      const failing = work(first.queue, async () => {
        throw new Error('no');
      });
      const parkedIn = async (queue: Queue) => (await queue.state()).parked.map((each) => each.key);
      await first.queue.add([trigger('a', '1'), trigger('b', '2'), trigger('b', '3')]);
      await until('both parked', async () => (await parkedIn(first.queue)).length === 2);
      await failing.stop();
      await first.close();
      await store.queue.add([trigger('b', '4')]);
      expect(await parkedIn(store.queue)).toEqual([key('a')]);
      const second = await begin();
      const jobs: Job[] = [];
      const working = work(second.queue, async (job) => {
        jobs.push(job);
        return DONE;
      });
      await until('the run', () => jobs.length === 1);
      await idle(second.queue);
      expect(await parkedIn(second.queue)).toEqual([key('a')]);
      expect(await second.queue.unpark(key('a'), 'run')).toBe('done');
      await idle(second.queue);
      await working.stop();
      await second.close();
      expect(jobs.map(eventIds)).toEqual([['2', '3', '4'], ['1']]);
      expect(jobs.map((job) => job.attempts)).toEqual([0, 0]);
    });

    it('goes on with the count of failures after a takeover, and a former leader counts no more', async () => {
      const late = await begin();
      const [begun, end] = [gate(), gate()];
      const lateRuns: number[] = [];
      const first = work(late.queue, async (job) => {
        lateRuns.push(job.attempts);
        if (lateRuns.length === 2) {
          begun.open();
          await end.opened;
        }
        throw new Error('no');
      });
      await store.queue.add([trigger('a', '1')]);
      await begun.opened;
      const now = await begin();
      end.open();
      const stopped = first.stop();
      const attempts: number[] = [];
      const second = work(now.queue, async (job) => {
        attempts.push(job.attempts);
        return DONE;
      });
      await stopped;
      await until('the run', () => attempts.length > 0);
      await idle(now.queue);
      await second.stop();
      await Promise.all([late.close(), now.close()]);
      expect({ lateRuns, attempts }).toEqual({ lateRuns: [0, 1], attempts: [1] });
    });
  });
}
