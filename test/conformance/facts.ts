import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, type StartHarness, type Store, type StoreHarness } from './store-harness.js';

/** The contract of the port `Facts`. */
export function describeFacts(name: string, start: StartHarness): void {
  describe(`${name} as a store of facts`, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    it('keeps the last value of a name over a crash', async () => {
      expect(await store.facts.get('cursor/main')).toBeUndefined();
      await store.facts.set('cursor/main', '1');
      await store.facts.set('cursor/main', 'zwei\n"');
      await store.facts.set('cursor/other', '');
      await harness.crash(store);
      store = await harness.open();
      expect(await store.facts.get('cursor/main')).toBe('zwei\n"');
      expect(await store.facts.get('cursor/other')).toBe('');
    });

    it('remembers ids within their scope, over a crash', async () => {
      await store.facts.remember('a', [], 60_000);
      await store.facts.remember('a', ['1', '2', 'b:3'], 60_000);
      await harness.crash(store);
      store = await harness.open();
      expect(await store.facts.has('a', '1')).toBe(true);
      expect(await store.facts.has('a', '2')).toBe(true);
      expect(await store.facts.has('a', '3')).toBe(false);
      expect(await store.facts.has('b', '1')).toBe(false);
      expect(await store.facts.has('a:b', '3')).toBe(false);
    });

    it('forgets ids when their time is up, and remembers again from then', async () => {
      await store.facts.remember('a', ['short'], 60);
      await store.facts.remember('a', ['long'], 60_000);
      expect(await store.facts.has('a', 'long')).toBe(true);
      await eventually('the id is forgotten', async () => !(await store.facts.has('a', 'short')));
      await store.facts.remember('a', ['short'], 60_000);
      expect(await store.facts.has('a', 'short')).toBe(true);
      expect(await store.facts.has('a', 'long')).toBe(true);
    });
  });
}
