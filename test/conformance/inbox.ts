import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientKey, formatKey, type Key } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import type { IncomingEvent } from '../../src/queue/inbox.js';
import { until } from '../support/until.js';
import {
  DONE,
  idle,
  type StartHarness,
  type Store,
  type StoreHarness,
  trigger,
  work,
} from './store-harness.js';

const MEMORY = { scope: 'event/main', ttlMs: 60_000 };

/** One with triggers of these names, and a recheck. */
const event = (id: string, names: readonly string[] = [id], dueAt = 10): IncomingEvent => ({
  id,
  triggers: names.map((name) => trigger(name, id)),
  rechecks: [{ id: `recheck ${id}`, trigger: trigger(id, id), eventAt: 0, looks: 0, dueAt }],
});

/** The contract of the port `Inbox`. */
export function describeInbox(name: string, start: StartHarness): void {
  describe(`${name} as an inbox`, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    const accept = (...events: readonly IncomingEvent[]) => store.inbox.accept('main', events, MEMORY);
    /** Runs all that waits. Gives the events whose triggers came to a run, by the names of the keys. */
    async function runAll(): Promise<ReadonlyMap<string, readonly string[]>> {
      const runs = new Map<string, string[]>();
      const working = work(
        store.queue,
        async ({ key, triggers }) => {
          if (key.kind !== 'destination') throw new Error('not a key of this test');
          const events = triggers.flatMap(({ cause }) => ('eventId' in cause ? [cause.eventId ?? ''] : []));
          runs.set(key.service, [...(runs.get(key.service) ?? []), ...events]);
          return DONE;
        },
        1,
      );
      await idle(store.queue);
      await working.stop();
      return runs;
    }

    it('queues the triggers, lists the rechecks and remembers the ids, over a crash', async () => {
      expect(await accept(event('a', ['x', 'y']), event('b'))).toEqual(new Set(['a', 'b']));
      await harness.crash(store);
      store = await harness.open();
      expect(await store.keyValues.has(MEMORY.scope, 'a')).toBe(true);
      expect(await store.keyValues.has(MEMORY.scope, 'b')).toBe(true);
      expect(await store.rechecks.due('main', 10, 10)).toEqual(
        [event('a'), event('b')].flatMap(({ rechecks }) => rechecks),
      );
      expect(await runAll()).toEqual(
        new Map([
          ['x', ['a']],
          ['y', ['a']],
          ['b', ['b']],
        ]),
      );
    });

    it('shows the triggers of clients that no job has settled, over a crash, and of no other provider', async () => {
      const about = (key: Key, id: string): Trigger => ({
        key,
        cause: { kind: 'webhook', eventId: id, receivedAt: '2026-01-01T00:00:00.000Z' },
        evidence: [{ provider: 'main', clients: [id] }],
      });
      const web = about(clientKey('main', 'web'), 'web');
      const api = about({ kind: 'client', provider: 'main', by: 'internalId', value: 'a/b' }, 'api');
      const other = about(clientKey('mainly', 'web'), 'other');
      await accept({ id: 'a', triggers: [web, api, other, trigger('orders', 'a')], rechecks: [] });
      const begun = new Set<string>();
      // Never settled: the process dies while the job runs, or while it waits for its next try.
      const working = work(store.queue, async ({ key }) => {
        begun.add(formatKey(key));
        return { kind: 'retry', afterMs: 3_600_000 };
      });
      await until('all jobs to begin', () => begun.size === 4);
      await working.stop();
      await harness.crash(store);
      store = await harness.open();
      const found = await store.inbox.unsettled('main');
      expect(found).toHaveLength(2);
      expect(found).toEqual(expect.arrayContaining([web, api]));
      expect(await store.inbox.unsettled('mainly')).toEqual([other]);
      expect(await store.inbox.unsettled('m')).toEqual([]);
    });

    it('passes over what it accepted before, also within one call and of two at once', async () => {
      await accept(event('a'));
      const answers = await Promise.all([
        accept(event('a'), event('b'), event('b'), event('c')),
        accept(event('c'), event('a')),
      ]);
      expect(answers).toEqual([new Set(['b', 'c']), new Set()]);
      expect(await accept(event('a'), event('b'), event('c'))).toEqual(new Set());
      const runs = await runAll();
      expect(['a', 'b', 'c'].map((each) => runs.get(each))).toEqual([['a'], ['b'], ['c']]);
    });

    it('accepts again what was remembered in another scope, or long ago', async () => {
      const only = { ...event('a'), triggers: [] };
      expect(await store.inbox.accept('main', [only], { scope: 'x', ttlMs: 1 })).toEqual(new Set(['a']));
      await until('the id is forgotten', async () => !(await store.keyValues.has('x', 'a')));
      expect(await store.inbox.accept('main', [only], { scope: 'x', ttlMs: 60_000 })).toEqual(new Set(['a']));
      expect(await accept(only)).toEqual(new Set(['a']));
    });

    it('keeps the order of triggers of one key, among those that `add` queues', async () => {
      await store.queue.add([trigger('a', '1')]);
      await accept(event('2', ['a']), event('3', ['a']));
      await store.queue.add([trigger('a', '4')]);
      expect(await runAll()).toEqual(new Map([['a', ['1', '2', '3', '4']]]));
    });

    it('takes an urgent trigger before others', async () => {
      await store.queue.add([trigger('early', '1')]);
      await accept({ id: '2', triggers: [trigger('urgent', '2', { urgent: true })], rechecks: [] });
      const first: string[] = [];
      const working = work(
        store.queue,
        async ({ key }) => {
          if (key.kind === 'destination') first.push(key.service);
          return DONE;
        },
        1,
      );
      await until('both runs', () => first.length === 2);
      await working.stop();
      expect(first).toEqual(['urgent', 'early']);
    });

    it('leaves nothing of an event of which one part cannot be stored, and takes it when it comes again', async () => {
      // A number that no store can order by.
      await expect(accept(event('a', ['a'], Number.NaN))).rejects.toMatchObject({
        code: 'ERR_QUEUE_UNREACHABLE',
      });
      expect(await store.keyValues.has(MEMORY.scope, 'a')).toBe(false);
      expect(await store.rechecks.count('main')).toBe(0);
      expect((await store.queue.state()).waiting).toBe(0);
      expect(await accept(event('a'))).toEqual(new Set(['a']));
      expect(await runAll()).toEqual(new Map([['a', ['a']]]));
    });

    it('runs what it accepts while a queue is at work', async () => {
      const runs: string[] = [];
      const working = work(store.queue, async ({ key }) => {
        if (key.kind === 'destination') runs.push(key.service);
        return DONE;
      });
      await accept(event('a'));
      await until('the run', () => runs.length === 1);
      await accept(event('b'));
      await until('the second run', () => runs.length === 2);
      await working.stop();
      expect(runs).toEqual(['a', 'b']);
    });

    it('takes thousands at once, each once', async () => {
      const many = Array.from({ length: 3_000 }, (_, index) => event(`id ${index}`, ['one']));
      expect((await accept(...many)).size).toBe(3_000);
      expect((await accept(...many)).size).toBe(0);
      expect(await store.rechecks.count('main')).toBe(3_000);
      expect((await runAll()).get('one')).toEqual(many.map(({ id }) => id));
    });

    it('needs nothing for no events', async () => {
      expect(await accept()).toEqual(new Set());
    });
  });
}
