import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setKey } from '../../../../src/embedded/consul/state/kv-writes.js';
import { StateStore } from '../../../../src/embedded/consul/state/state-store.js';
import { WatchSet } from '../../../../src/embedded/consul/state/watch-set.js';

const key = (Key: string, Value: string | null = null) => ({ Key, Flags: 0, Value });

describe('the state store', () => {
  it('leaves no trace of a write that throws', () => {
    const store = new StateStore();
    store.write((transaction) => setKey(transaction, key('a', 'MQ==')));
    const before = { rows: store.list('kvs'), index: store.indexOf('kvs') };
    expect(() =>
      store.write((transaction) => {
        setKey(transaction, key('a', 'Mg=='));
        setKey(transaction, key('b'));
        throw new Error('no');
      }),
    ).toThrow('no');
    expect({ rows: store.list('kvs'), index: store.indexOf('kvs') }).toEqual(before);
    expect(store.write((transaction) => transaction.index)).toBe(before.index + 1);
  });

  it('wakes who watches a changed row, and nobody else', async () => {
    const store = new StateStore();
    const [mine, other] = [new WatchSet(), new WatchSet()];
    mine.lookup('kvs', 'a', {});
    other.prefix('kvs', 'b');
    const end = new AbortController();
    const woken: string[] = [];
    const first = store.changed(mine, end.signal).then(() => woken.push('a'));
    const second = store.changed(other, end.signal).then(() => woken.push('b'));
    store.write((transaction) => setKey(transaction, key('a')));
    await first;
    expect(woken).toEqual(['a']);
    end.abort();
    await second;
  });

  it('lists the rows under a prefix in the order of their keys', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1, maxLength: 4 })),
        fc.string({ maxLength: 2 }),
        (keys, prefix) => {
          const store = new StateStore();
          for (const name of keys) store.write((transaction) => setKey(transaction, key(name)));
          const expected = [...new Set(keys)].filter((name) => name.startsWith(prefix)).sort();
          expect(store.list('kvs', prefix).map((row) => row.Key)).toEqual(expected);
        },
      ),
    );
  });
});
