import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientKey } from '../../src/model/key.js';
import type { Recheck } from '../../src/queue/rechecks.js';
import type { StartHarness, Store, StoreHarness } from './store-harness.js';

const recheck = (id: string, dueAt: number, changes: Partial<Recheck> = {}): Recheck => ({
  id,
  dueAt,
  eventAt: 0,
  looks: 0,
  trigger: {
    key: clientKey('main', id),
    cause: { kind: 'webhook', eventId: `of ${id}`, receivedAt: '2026-01-01T00:00:00.000Z' },
    evidence: [{ provider: 'main', clients: [id, 'zwei\n"'] }],
  },
  ...changes,
});
const idsOf = (rechecks: readonly Recheck[]) => rechecks.map(({ id }) => id);

/** The contract of the port `Rechecks`. */
export function describeRechecks(name: string, start: StartHarness): void {
  describe(`${name} as a list of rechecks`, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    it('gives what is due, the longest due first, whole, and no more than asked for', async () => {
      const [a, b, c] = [recheck('a', 30), recheck('b', 10), recheck('c', 20.5)];
      await store.rechecks.put('main', [a, b, c]);
      expect(await store.rechecks.due('main', 9, 10)).toEqual([]);
      expect(idsOf(await store.rechecks.due('main', 21, 10))).toEqual(['b', 'c']);
      expect(await store.rechecks.due('main', 30, 2)).toEqual([b, c]);
      expect(await store.rechecks.count('main')).toBe(3);
    });

    it('keeps them over a crash, each provider its own', async () => {
      await store.rechecks.put('main', [recheck('a', 10)]);
      await store.rechecks.put('main/x', [recheck('b', 10)]);
      await harness.crash(store);
      store = await harness.open();
      expect(idsOf(await store.rechecks.due('main', 10, 10))).toEqual(['a']);
      expect(idsOf(await store.rechecks.due('main/x', 10, 10))).toEqual(['b']);
      expect(await store.rechecks.count('main%2Fx')).toBe(0);
    });

    it('has one of an id: the last', async () => {
      await store.rechecks.put('main', [recheck('a', 10), recheck('a', 50, { eventAt: 45 })]);
      expect(await store.rechecks.due('main', 49, 10)).toEqual([]);
      expect(await store.rechecks.due('main', 50, 10)).toEqual([recheck('a', 50, { eventAt: 45 })]);
      expect(await store.rechecks.count('main')).toBe(1);
    });

    it('moves or ends what was due, and leaves what took its place', async () => {
      const [a, b, c] = [recheck('a', 10), recheck('b', 10), recheck('c', 10)];
      await store.rechecks.put('main', [a, b, c]);
      await store.rechecks.put('main', [recheck('c', 15)]);
      await store.rechecks.move('main', [
        { from: a, to: recheck('a', 40, { looks: 1 }) },
        { from: b, to: undefined },
        { from: c, to: undefined },
        { from: recheck('d', 10), to: recheck('d', 20) },
      ]);
      expect(await store.rechecks.due('main', 100, 10)).toEqual([
        recheck('c', 15),
        recheck('a', 40, { looks: 1 }),
      ]);
    });

    it('takes thousands at once', async () => {
      const many = Array.from({ length: 3_000 }, (_, index) => recheck(`client-${index}`, index));
      await store.rechecks.put('main', many);
      const due = await store.rechecks.due('main', 5_000, 5_000);
      expect(due).toHaveLength(3_000);
      await store.rechecks.move(
        'main',
        due.map((from) => ({ from, to: undefined })),
      );
      expect(await store.rechecks.count('main')).toBe(0);
    });
  });
}
