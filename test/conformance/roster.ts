import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StartHarness, Store, StoreHarness } from './store-harness.js';

export const REPLICA = {
  replica: 'one/1',
  host: 'one',
  address: 'http://127.0.0.1:8080',
  version: '1.2.3',
  startedAt: '2026-03-01T10:00:00.000Z',
  parts: ['intake', 'relay'],
  mapping: { mode: 'enforce', revision: 'sha256:1', readAt: '2026-03-01T10:00:00.000Z' } as const,
};

/** The contract of the port `Roster`, as far as one replica sees it. */
export function describeRoster(name: string, start: StartHarness): void {
  describe(`${name} as a roster`, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    it('lists a replica as it showed itself last, until it leaves', async () => {
      const { roster } = store;
      expect(await roster.list()).toEqual([]);
      await roster.show({ ...REPLICA, address: null });
      await roster.show(REPLICA);
      expect(await roster.list()).toEqual([{ ...REPLICA, seenMs: expect.any(Number) }]);
      await roster.leave('other/2');
      expect(await roster.list()).toHaveLength(1);
      await roster.leave(REPLICA.replica);
      await roster.leave(REPLICA.replica);
      expect(await roster.list()).toEqual([]);
    });
  });
}
