import { describe, expect, it } from 'vitest';
import type { IntentionEntry } from '../../src/model/intention.js';
import { readBack } from '../../src/read/read-entry.js';
import { WorldState } from '../../src/state/world-state.js';
import { ALLOW, DENY, entry, keyOf, mapping, NOW, named, ourSource, SETTINGS } from '../plan/scene.js';
import { depsOf } from '../reconcile/deps.js';

const NEVER = new AbortController().signal;

describe('an entry that was just written', () => {
  /** `stored`: what Consul has by then. */
  function rig(stored: IntentionEntry | 'unreachable', written = ['orders'], target: object = {}) {
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
    const deps = { world, consul: { intentions: { ...intentions, read }, ...target } };
    const indexNow = () => world.entries.get(keyOf('orders'))?.modifyIndex;
    return { asked, indexNow, run: () => readBack(named('orders'), deps, NEVER) };
  }
  const asWritten = { ...entry('orders', ourSource('web', ALLOW)), modifyIndex: 20 };

  it('is read back, so that its index is known', async () => {
    const { run, asked, indexNow } = rig(asWritten);
    expect(await run()).toBe(true);
    expect(indexNow()).toBe(20);
    // Its index is known now.
    expect(await run()).toBe(true);
    expect(asked).toEqual(['orders']);
  });

  it('is planned again if somebody else changed it since', async () => {
    const { run, indexNow } = rig({ ...entry('orders', ourSource('web', DENY)), modifyIndex: 21 });
    expect(await run()).toBe(false);
    expect(indexNow()).toBe(21);
  });

  it('is not read back where it was written as a manifest, which Consul has later', async () => {
    const manifests = { synced: async () => [] };
    const { run, asked } = rig({ ...asWritten, modifyIndex: 7 }, undefined, { manifests });
    expect(await run()).toBe(true);
    expect(asked).toEqual([]);
  });

  it('waits for the watch beside many others, and if Consul is away', async () => {
    const others = ['orders', 'stock', 'cart', 'users', 'mail'];
    const many = rig(asWritten, others);
    expect(await many.run()).toBe(true);
    expect(many.asked).toEqual([]);
    const few = rig('unreachable', others.slice(1).concat('orders').slice(1));
    expect(await few.run()).toBe(true);
    expect([few.asked, few.indexNow()]).toEqual([['orders'], 0]);
  });
});
