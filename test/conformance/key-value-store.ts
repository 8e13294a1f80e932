import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/until.js';
import type { StartHarness, Store, StoreHarness } from './store-harness.js';

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
      expect(await store.keyValues.get('cursor/main')).toBeUndefined();
      await store.keyValues.set('cursor/main', '1');
      await store.keyValues.set('cursor/main', 'zwei\n"');
      await store.keyValues.set('cursor/other', '');
      await harness.crash(store);
      store = await harness.open();
      expect(await store.keyValues.get('cursor/main')).toBe('zwei\n"');
      expect(await store.keyValues.get('cursor/other')).toBe('');
    });

    it('replaces a value only if it is the expected one', async () => {
      const { keyValues } = store;
      expect(await keyValues.replace('head', 'a', 'b')).toBe(false);
      expect(await keyValues.replace('head', undefined, 'a')).toBe(true);
      expect(await keyValues.replace('head', undefined, 'c')).toBe(false);
      expect(await keyValues.replace('head', 'b', 'c')).toBe(false);
      expect(await keyValues.replace('head', 'a', '')).toBe(true);
      expect(await keyValues.replace('head', undefined, 'c')).toBe(false);
      expect(await keyValues.replace('head', '', 'd')).toBe(true);
      expect(await keyValues.get('head')).toBe('d');
      const results = await Promise.all([1, 2, 3].map((each) => keyValues.replace('head', 'd', `${each}`)));
      expect(results.filter(Boolean)).toHaveLength(1);
    });

    it('remembers ids within their scope, over a crash', async () => {
      await store.keyValues.remember('a', [], 60_000);
      await store.keyValues.remember('a', ['1', '2', 'b:3'], 60_000);
      await harness.crash(store);
      store = await harness.open();
      expect(await store.keyValues.has('a', '1')).toBe(true);
      expect(await store.keyValues.has('a', '2')).toBe(true);
      expect(await store.keyValues.has('a', '3')).toBe(false);
      expect(await store.keyValues.has('b', '1')).toBe(false);
      expect(await store.keyValues.has('a:b', '3')).toBe(false);
    });

    it('forgets ids when their time is up, and remembers again from then', async () => {
      await store.keyValues.remember('a', ['short'], 60);
      await store.keyValues.remember('a', ['long'], 60_000);
      expect(await store.keyValues.has('a', 'long')).toBe(true);
      await until('the id is forgotten', async () => !(await store.keyValues.has('a', 'short')));
      await store.keyValues.remember('a', ['short'], 60_000);
      expect(await store.keyValues.has('a', 'short')).toBe(true);
      expect(await store.keyValues.has('a', 'long')).toBe(true);
    });
  });
}
