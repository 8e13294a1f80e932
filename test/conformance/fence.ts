import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LedStore } from '../../src/queue/store-parts.js';
import { failureOf } from '../support/failure-of.js';
import { until } from '../support/until.js';
import { draft, settled } from './journal.js';
import {
  DONE,
  eventIds,
  gate,
  type StartHarness,
  type Store,
  type StoreHarness,
  trigger,
  work,
} from './store-harness.js';

const LEADER = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };
const ANY = { above: 0, over: 'any' } as const;

/** The contract of the port `Fence`, and of the store of one term. */
export function describeFence(name: string, start: StartHarness): void {
  describe(`${name} as a fence`, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    const begin = async (): Promise<LedStore> => store.lead((await store.fence.raise(LEADER, ANY)) ?? 0);
    const codeOf = async (call: Promise<unknown>) => (await failureOf(call)).code;

    it('has no leader at first, and then the one that raised the epoch last', async () => {
      expect(await store.fence.read()).toBeUndefined();
      expect(await store.fence.raise(LEADER, ANY)).toBe(1);
      expect(await store.fence.raise({ ...LEADER, replica: 'two/2' }, ANY)).toBe(2);
      const found = await store.fence.read();
      expect(found).toEqual({ leader: { ...LEADER, replica: 'two/2', epoch: 2 }, isAlive: true, pulses: [] });
    });

    it('raises the epoch above a greater one that Consul still knows', async () => {
      expect(await store.fence.raise(LEADER, { above: 41, over: 'any' })).toBe(42);
      expect(await store.fence.raise(LEADER, { above: 7, over: 'any' })).toBe(43);
    });

    it('keeps the epoch over a crash', async () => {
      await store.fence.raise(LEADER, { above: 41, over: 'any' });
      await harness.crash(store);
      store = await harness.open();
      expect(await store.fence.raise(LEADER, ANY)).toBe(43);
    });

    it('a leader that gives signs of life is replaced by one that may replace any, and not by another', async () => {
      const first = await store.fence.raise(LEADER, { above: 0, over: 'dead' });
      expect(first).toBe(1);
      expect(await store.fence.raise(LEADER, { above: 0, over: 'dead' })).toBeUndefined();
      expect(await store.fence.beat(1)).toBe(true);
      expect(await store.fence.raise(LEADER, ANY)).toBe(2);
      expect(await store.fence.beat(1)).toBe(false);
    });

    it('a leader that rests is replaced at once, and one of an earlier epoch ends nothing by it', async () => {
      await store.fence.raise(LEADER, ANY);
      await store.fence.raise(LEADER, ANY);
      await store.fence.rest(1);
      expect((await store.fence.read())?.isAlive).toBe(true);
      await store.fence.rest(2);
      expect((await store.fence.read())?.isAlive).toBe(false);
      expect(await store.fence.raise(LEADER, { above: 0, over: 'dead' })).toBe(3);
    });

    it('keeps the last pulse and the one before, unless one process alone can use it', async () => {
      const { fence } = store;
      await fence.raise(LEADER, ANY);
      for (const pulse of ['a1', 'b2', 'b2', undefined, 'c3', 'c3']) await fence.beat(1, pulse);
      expect(await fence.beat(2, 'd4')).toBe(false);
      await fence.raise({ ...LEADER, replica: 'two/2' }, ANY);
      const kept = Number.isFinite(fence.lifeMs) ? ['c3', 'b2'] : [];
      expect((await fence.read())?.pulses).toEqual(kept);
    });

    it('a term whose epoch is over records, settles, publishes and sets nothing', async () => {
      const late = await begin();
      await late.journal.record('destination/a', [draft('1')]);
      await late.keyValues.set('cursor', 'old');
      const now = await begin();
      const { journal, keyValues } = late;
      expect(await codeOf(journal.record('destination/a', [draft('2')]))).toBe('ERR_LEASE_LOST');
      expect(await codeOf(journal.settle('destination/a', [settled('1')]))).toBe('ERR_LEASE_LOST');
      expect(await codeOf(journal.published(['1']))).toBe('ERR_LEASE_LOST');
      expect(await codeOf(keyValues.set('cursor', 'new'))).toBe('ERR_LEASE_LOST');
      expect(await codeOf(keyValues.replace('cursor', 'old', 'new'))).toBe('ERR_LEASE_LOST');
      expect(await now.keyValues.get('cursor')).toBe('old');
      expect((await now.journal.read('destination/a')).pending.map(({ id }) => id)).toEqual(['1']);
      await now.journal.settle('destination/a', [settled('1')]);
      expect((await now.journal.outbox(10)).map(({ revision }) => revision)).toEqual([1]);
      await Promise.all([late.close(), now.close()]);
    });

    it('a term whose epoch is over runs no job, and the next term runs all', async () => {
      const late = await begin();
      const now = await begin();
      await store.queue.add([trigger('a', '1')]);
      const lateRuns: string[] = [];
      const first = work(late.queue, async (job) => {
        lateRuns.push(...eventIds(job).map(String));
        return DONE;
      });
      const runs: string[] = [];
      const second = work(now.queue, async (job) => {
        runs.push(...eventIds(job).map(String));
        return DONE;
      });
      // Both look for jobs all the time, so the late one has its chance at each.
      for (const id of ['1', '2', '3', '4', '5']) {
        await store.queue.add([trigger('a', id)]);
        await until(`the next term runs ${id}`, () => runs.includes(id));
      }
      expect(lateRuns).toEqual([]);
      await Promise.all([first.stop(), second.stop()]);
      await Promise.all([late.close(), now.close()]);
    });

    it('a job of a term whose epoch is over settles nothing, so that the next term runs it', async () => {
      const late = await begin();
      const opened = gate();
      let begun = false;
      const first = work(late.queue, async () => {
        begun = true;
        await opened.opened;
        return DONE;
      });
      await store.queue.add([trigger('a', '1')]);
      await until('the job runs', () => begun);
      const now = await begin();
      opened.open();
      const stopped = first.stop();
      const seen: unknown[] = [];
      const second = work(now.queue, async ({ triggers }) => {
        seen.push(...triggers);
        return DONE;
      });
      await stopped;
      await until('the next term runs it', () => seen.length > 0);
      expect(seen).toEqual([trigger('a', '1')]);
      await second.stop();
      await Promise.all([late.close(), now.close()]);
    });
  });
}
