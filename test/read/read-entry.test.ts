import { describe, expect, it, vi } from 'vitest';
import type { IntentionEntry } from '../../src/model/intention.js';
import { readBack, readEntryNow } from '../../src/read/read-entry.js';
import { WorldState } from '../../src/state/world-state.js';
import { ALLOW, DENY, entry, keyOf, mapping, NOW, named, ourSource, SETTINGS } from '../plan/scene.js';
import { depsOf } from '../reconcile/deps.js';

const NEVER = new AbortController().signal;

describe('an entry that was just written', () => {
  /** `stored`: what Consul has by then. */
  function rig(stored: IntentionEntry | 'unreachable', written = ['orders']) {
    const world = new WorldState(mapping(), SETTINGS);
    world.putEntries([], NOW);
    for (const name of written)
      world.putEntry(named(name), { ...entry(name, ourSource('web', ALLOW)), modifyIndex: 0 });
    const asked: string[] = [];
    const read = async ({ name }: { readonly name: string }) => {
      asked.push(name);
      if (stored === 'unreachable') throw new Error('Consul is away');
      return stored;
    };
    const { intentions } = depsOf(world, {}).deps.consul;
    const deps = { world, consul: { intentions: { ...intentions, read } } };
    const indexNow = () => world.entries.get(keyOf('orders'))?.modifyIndex;
    const onChanged = vi.fn();
    return { asked, indexNow, onChanged, run: () => readBack(named('orders'), onChanged, deps, NEVER) };
  }
  const asWritten = { ...entry('orders', ourSource('web', ALLOW)), modifyIndex: 20 };

  it('is read back, so that its index is known', async () => {
    const { run, asked, indexNow, onChanged } = rig(asWritten);
    await run();
    expect(indexNow()).toBe(20);
    // Its index is known now.
    await run();
    expect(asked).toEqual(['orders']);
    expect(onChanged).not.toHaveBeenCalled();
  });

  it('is planned again if somebody else changed it since', async () => {
    const { run, indexNow, onChanged } = rig({ ...entry('orders', ourSource('web', DENY)), modifyIndex: 21 });
    await run();
    expect(indexNow()).toBe(21);
    expect(onChanged).toHaveBeenCalledTimes(1);
  });

  it('waits for the watch beside many others, and if Consul is away', async () => {
    const others = ['orders', 'stock', 'cart', 'users', 'mail'];
    const many = rig(asWritten, others);
    await many.run();
    expect(many.asked).toEqual([]);
    const few = rig('unreachable', others.slice(1).concat('orders').slice(1));
    await few.run();
    expect([few.asked, few.indexNow()]).toEqual([['orders'], 0]);
    expect(few.onChanged).not.toHaveBeenCalled();
  });
});

describe('an entry that is read together with its wildcard entry', () => {
  const wide = (modifyIndex: number) => ({ ...entry('*', ourSource('web', ALLOW)), modifyIndex });
  /** `read` and `shown`: the wildcard entry in the answer of Consul, and what the watch shows meanwhile. */
  async function wildcardOf(read: IntentionEntry | undefined, shown: IntentionEntry | undefined) {
    const world = new WorldState(mapping(), SETTINGS);
    world.putEntries([wide(4)], NOW);
    const { intentions } = depsOf(world, {}).deps.consul;
    const answer = async ({ name }: { readonly name: string }) => {
      if (name !== '*') return undefined;
      world.putEntry(named('*'), shown);
      return read;
    };
    const deps = { world, consul: { intentions: { ...intentions, read: answer } } };
    const { wildcard } = await readEntryNow(named('orders'), deps, NEVER);
    return wildcard?.modifyIndex;
  }

  it.each([
    ['the answer, if the watch shows nothing new', wide(9), wide(4), 9],
    ['gone, if the watch shows nothing new', undefined, wide(4), undefined],
    ['the answer, if that is newer than what the watch shows', wide(9), wide(7), 9],
    ['what the watch shows, if that is newer', wide(7), wide(9), 9],
    ['our own write, which has no index yet', wide(9), wide(0), 0],
    ['what the watch shows, if the answer has none', undefined, wide(9), 9],
    ['the answer, if the watch shows none', wide(9), undefined, 9],
  ])('has %s', async (_, read, shown, index) => {
    expect(await wildcardOf(read, shown)).toBe(index);
  });
});
