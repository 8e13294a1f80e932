import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientKey, destinationKey, formatKey } from '../../src/model/key.js';
import type { Job } from '../../src/model/trigger.js';
import type { JobResult } from '../../src/queue/queue.js';
import { aborted } from '../support/aborted.js';
import { until } from '../support/until.js';
import { playInterleavings } from './queue-interleavings.js';
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

/** The contract of the port `Queue`. */
export function describeQueue(name: string, start: StartHarness, runs = 40): void {
  describe(`${name} as a queue`, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    it('hands a job every trigger of its key, whole and in order', async () => {
      const evidence = [{ provider: 'main', clients: ['web', 'ünïcode:/{}~'], scopes: ['a b'] }];
      const triggers = [
        trigger('a', '1'),
        trigger('a', '2', { evidence, fullRead: true }),
        trigger('b', '3'),
      ];
      await store.queue.add(triggers);
      const jobs: Job[] = [];
      const working = work(store.queue, async (job) => {
        jobs.push(job);
        return DONE;
      });
      await idle(store.queue);
      await working.stop();
      expect(jobs).toHaveLength(2);
      expect(jobs.find((job) => formatKey(job.key) === key('a'))).toEqual({
        key: destinationKey('a'),
        triggers: triggers.slice(0, 2),
        attempts: 0,
      });
    });

    it('takes an empty list of triggers', async () => {
      await store.queue.add([]);
      expect((await store.queue.state()).waiting).toBe(0);
    });

    it('gives exactly one more run for the triggers that come during a run', async () => {
      const first = gate();
      const jobs: Job[] = [];
      const working = work(store.queue, async (job) => {
        jobs.push(job);
        if (jobs.length === 1) await first.opened;
        return DONE;
      });
      await store.queue.add([trigger('a', '1')]);
      await until('the first run', () => jobs.length === 1);
      for (const id of ['2', '3', '4', '5']) await store.queue.add([trigger('a', id)]);
      // Whoever runs jobs has read what was added.
      await store.queue.state();
      expect(jobs).toHaveLength(1);
      first.open();
      // Sooner than anything periodic could come to the rescue.
      await idle(store.queue, 3000);
      await working.stop();
      expect(jobs.map(eventIds)).toEqual([['1'], ['2', '3', '4', '5']]);
    });

    it('lets urgent keys overtake, also when the urgent trigger joins a waiting key', async () => {
      const first = gate();
      const order: string[] = [];
      const working = work(
        store.queue,
        async (job) => {
          order.push(formatKey(job.key));
          if (order.length === 1) await first.opened;
          return DONE;
        },
        1,
      );
      await store.queue.add([trigger('busy', '0')]);
      await until('the first run', () => order.length === 1);
      await store.queue.add(['a', 'b', 'c', 'd'].map((each) => trigger(each, each)));
      await store.queue.add([trigger('new', 'new', { urgent: true })]);
      await store.queue.add([trigger('d', 'd2', { urgent: true })]);
      await store.queue.state();
      first.open();
      await idle(store.queue);
      await working.stop();
      // What is not urgent has one place, in which `a` may run beside them.
      const last = Math.max(order.indexOf(key('new')), order.indexOf(key('d')));
      expect(last).toBeLessThan(order.indexOf(key('b')));
      expect(order.filter((each) => ['a', 'b', 'c'].map(key).includes(each))).toEqual(
        ['a', 'b', 'c'].map(key),
      );
    });

    it('lets no urgent keys that come back again and again keep another from running', async () => {
      const order: string[] = [];
      const working = work(
        store.queue,
        async (job): Promise<JobResult> => {
          order.push(formatKey(job.key));
          // As long as the newest has not run, one of the others is always due.
          return order.includes(key('new')) ? DONE : { kind: 'retry', afterMs: 0 };
        },
        1,
      );
      await store.queue.add(['a', 'b', 'c'].map((each) => trigger(each, each, { urgent: true })));
      await until('all to come back', () => order.length > 3);
      await store.queue.add([trigger('new', 'new', { urgent: true })]);
      await idle(store.queue);
      await working.stop();
      expect(order.filter((each) => each === key('new'))).toHaveLength(1);
    });

    it('begins the job of a client again when an order comes for it, without a failure', async () => {
      const jobs: Job[] = [];
      const client = clientKey('main', 'web');
      const working = work(store.queue, async (job, signal) => {
        jobs.push(job);
        // A request to a server that hangs ends only with the signal.
        if (jobs.length === 1) await aborted(signal);
        return DONE;
      });
      await store.queue.add([trigger('', '1', { key: client })]);
      await until('the first run', () => jobs.length === 1);
      const { cause } = trigger('', '2');
      const at = cause.receivedAt;
      const order = { kind: 'secret-compromised', provider: 'main', clientId: 'web', at, cause } as const;
      await store.queue.add([trigger('', '2', { key: client, order, urgent: true })]);
      await idle(store.queue);
      await working.stop();
      expect(jobs.map(eventIds)).toEqual([['1'], ['1', '2']]);
      expect(jobs.map((job) => job.attempts)).toEqual([0, 0]);
    });

    it('runs a delayed key at once when an urgent trigger joins it', async () => {
      const jobs: Job[] = [];
      const working = work(store.queue, async (job): Promise<JobResult> => {
        jobs.push(job);
        return jobs.length === 1 ? { kind: 'retry', afterMs: 600_000 } : DONE;
      });
      await store.queue.add([trigger('a', '1')]);
      await until('the key is delayed', async () => (await store.queue.state()).delayed === 1);
      await store.queue.add([trigger('a', '2')]);
      expect((await store.queue.state()).delayed).toBe(1);
      await store.queue.add([trigger('a', '3', { urgent: true })]);
      await idle(store.queue);
      await working.stop();
      expect(jobs.map(eventIds)).toEqual([['1'], ['1', '2', '3']]);
    });

    it('makes an urgent key that asks to wait do so', async () => {
      const jobs: Job[] = [];
      const working = work(store.queue, async (job): Promise<JobResult> => {
        jobs.push(job);
        return { kind: 'retry', afterMs: 600_000 };
      });
      await store.queue.add([trigger('a', '1', { urgent: true })]);
      await until('the first run', () => jobs.length === 1);
      await until('the run is over', async () => (await store.queue.state()).active === 0);
      await until('the key is delayed', async () => (await store.queue.state()).delayed === 1, 3000);
      await working.stop();
      expect(jobs).toHaveLength(1);
    });

    it('does not make an urgent trigger wait that came during a run which asks to wait', async () => {
      const first = gate();
      const jobs: Job[] = [];
      const working = work(store.queue, async (job): Promise<JobResult> => {
        jobs.push(job);
        if (jobs.length > 1) return DONE;
        await first.opened;
        return { kind: 'retry', afterMs: 600_000 };
      });
      await store.queue.add([trigger('a', '1')]);
      await until('the first run', () => jobs.length === 1);
      await store.queue.add([trigger('a', '2', { urgent: true })]);
      first.open();
      await idle(store.queue);
      await working.stop();
      expect(jobs.map(eventIds)).toEqual([['1'], ['1', '2']]);
    });

    it('waits for running jobs when it is stopped, and starts none', async () => {
      const first = gate();
      const started: string[] = [];
      const finished: string[] = [];
      const working = work(
        store.queue,
        async (job) => {
          started.push(formatKey(job.key));
          await first.opened;
          finished.push(formatKey(job.key));
          return DONE;
        },
        1,
      );
      await store.queue.add([trigger('a', '1')]);
      await until('the first run', () => started.length === 1);
      await store.queue.add([trigger('b', '2')]);
      let stopped = false;
      const stop = working.stop().then(() => {
        stopped = true;
      });
      expect((await store.queue.state()).active).toBe(1);
      expect(stopped).toBe(false);
      first.open();
      await stop;
      expect(finished).toEqual([key('a')]);
      expect(started).toEqual([key('a')]);
      expect(await store.queue.state()).toMatchObject({ waiting: 1, active: 0 });
    });

    it('runs hundreds at once, each key once, and counts those that run apart from those that wait', async () => {
      const all = gate();
      const ran: string[] = [];
      const working = work(
        store.queue,
        async (job) => {
          ran.push(formatKey(job.key));
          await all.opened;
          return DONE;
        },
        200,
      );
      const names = Array.from({ length: 300 }, (_, index) => `k${index}`);
      await Promise.all(names.map((each) => store.queue.add([trigger(each, each)])));
      await until('two hundred runs', () => ran.length === 200);
      expect(await store.queue.state()).toMatchObject({ waiting: 100, delayed: 0, active: 200 });
      all.open();
      await idle(store.queue);
      await working.stop();
      expect(new Set(ran)).toEqual(new Set(names.map(key)));
      expect(ran).toHaveLength(300);
    });

    it('runs again what a crash interrupted', async () => {
      const jobs: Job[] = [];
      work(store.queue, async (job) => {
        jobs.push(job);
        await new Promise(() => {});
        return DONE;
      });
      await store.queue.add([trigger('a', '1')]);
      await until('the run', () => jobs.length === 1);
      await store.queue.add([trigger('a', '2')]);
      await harness.crash(store);
      store = await harness.open();
      const working = work(store.queue, async (job) => {
        jobs.push(job);
        return DONE;
      });
      await idle(store.queue, 60_000);
      await working.stop();
      expect(jobs.map(eventIds)).toEqual([['1'], ['1', '2']]);
    });

    it('passes its own check, which changes nothing of what waits', async () => {
      await store.queue.add([trigger('a', '1'), trigger('b', '2')]);
      await store.queue.check();
      expect(await store.queue.state()).toEqual({ waiting: 2, delayed: 0, active: 0, parked: [] });
      const ran: unknown[] = [];
      const working = work(store.queue, async (job) => {
        ran.push(eventIds(job));
        return DONE;
      });
      await idle(store.queue);
      await working.stop();
      expect(ran.sort()).toEqual([['1'], ['2']]);
    });

    it(
      'loses no trigger and never runs a key twice at once, under any interleaving',
      () => playInterleavings(start, runs),
      300_000,
    );
  });
}
