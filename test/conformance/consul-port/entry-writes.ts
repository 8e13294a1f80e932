import { expect, it } from 'vitest';
import type { Access } from '../../../src/model/intention.js';
import { type ConsulRig, nameOf, never, newSource, requireWritten } from './rig.js';

/** What a test of `Intentions` needs of an adapter. */
export interface EntryRig extends Pick<ConsulRig, 'consul' | 'create' | 'fresh' | 'read' | 'setProtocol'> {
  /** The entry as it is stored. */
  rawEntryOf(destination: string): Promise<unknown>;
}

/**
 * What `Intentions` promises of every adapter. `isIndexOfContent`: the same content always has the same index, which the
 * result of a write carries.
 */
export function entryWrites(
  theRig: () => EntryRig,
  { isIndexOfContent = false }: { readonly isIndexOfContent?: boolean } = {},
): void {
  it('an entry that is not there reads as undefined', async () => {
    const { consul } = theRig();
    expect(await consul.intentions.read(nameOf('nobody'), never)).toBeUndefined();
  });

  it('a created entry reads back with its index and its sources', async () => {
    const { consul, create, fresh, read } = theRig();
    const orders = fresh('orders');
    await create(orders, newSource('web'), newSource('api', { kind: 'deny' }));
    const entry = await read(orders);
    expect(entry.modifyIndex).toBeGreaterThan(0);
    expect(entry.destination).toEqual(nameOf(orders));
    expect(entry.sources.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject([
      { name: 'api', access: { kind: 'deny' }, description: 'scopemesh:payments', isLegacy: false },
      { name: 'web', access: { kind: 'allow' }, description: 'scopemesh:payments', isLegacy: false },
    ]);
    expect((await consul.intentions.list(never)).find((each) => each.destination.name === orders)).toEqual(
      entry,
    );
  });

  it('every form of access reads back as it was written', async () => {
    const { create, fresh, read, setProtocol } = theRig();
    const orders = fresh('orders');
    await setProtocol(orders, 'http');
    const access: Access = {
      kind: 'http',
      permissions: [
        { pathPrefix: '/v1/', methods: ['GET', 'HEAD'] },
        { pathExact: '/exact' },
        { pathRegex: '/r/[a-z]+' },
        { methods: ['POST'] },
        {
          pathPrefix: '/h',
          headers: [
            { name: 'x-present', present: true },
            { name: 'x-exact', exact: 'a', invert: true },
            { name: 'x-prefix', prefix: 'b' },
            { name: 'x-suffix', suffix: 'c' },
            { name: 'x-regex', regex: '[0-9]' },
          ],
        },
      ],
    };
    await create(orders, newSource('web', access));
    expect((await read(orders)).sources[0]?.access).toEqual(access);
  });

  it('creating what exists is a conflict and changes nothing', async () => {
    const { consul, create, fresh, rawEntryOf } = theRig();
    const orders = fresh('orders');
    await create(orders, newSource('web'));
    const before = await rawEntryOf(orders);
    const again = await consul.intentions.write(nameOf(orders), undefined, [newSource('api')], 0, never);
    expect(again).toEqual({ kind: 'conflict' });
    expect(await rawEntryOf(orders)).toEqual(before);
  });

  it('a write at an old index is a conflict and changes nothing', async () => {
    const { consul, create, fresh, rawEntryOf, read } = theRig();
    const orders = fresh('orders');
    const old = await create(orders, newSource('web'));
    const current = await read(orders);
    await consul.intentions.write(nameOf(orders), current, [newSource('api')], old, never);
    const before = await rawEntryOf(orders);
    const late = await consul.intentions.write(nameOf(orders), current, [newSource('late')], old, never);
    expect(late).toEqual({ kind: 'conflict' });
    expect(await rawEntryOf(orders)).toEqual(before);
  });

  it('of different writes at one index exactly one is written', async () => {
    const { consul, create, fresh, read } = theRig();
    const orders = fresh('orders');
    const at = await create(orders, newSource('web'));
    const current = await read(orders);
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, which) =>
        consul.intentions.write(nameOf(orders), current, [newSource(`s${which}`)], at, never),
      ),
    );
    expect(results.filter(({ kind }) => kind === 'written')).toHaveLength(1);
  });

  it('writing what is there already says written and keeps the index, at an old index too', async () => {
    const { consul, create, fresh, read } = theRig();
    const orders = fresh('orders');
    const at = await create(orders, newSource('web'));
    const current = await read(orders);
    for (const index of [at, at - 1, 0]) {
      const again = await consul.intentions.write(nameOf(orders), current, current.sources, index, never);
      expect(again).toEqual({ kind: 'written', ...(isIndexOfContent ? { modifyIndex: at } : {}) });
    }
    expect((await read(orders)).modifyIndex).toBe(at);
  });

  it('the size of an entry is that of the body that creates it, in bytes', async () => {
    const { consul } = theRig();
    const empty = consul.intentions.sizeOf(nameOf('orders'), undefined, []);
    const one = consul.intentions.sizeOf(nameOf('orders'), undefined, [newSource('web')]);
    const wide = consul.intentions.sizeOf(nameOf('orders'), undefined, [newSource('wéb')]);
    expect(one).toBeGreaterThan(empty);
    expect(wide).toBe(one + 1);
  });

  it('names meet without regard to case, and the entry keeps its own', async () => {
    const { consul, create, fresh, read } = theRig();
    const lower = fresh('case');
    const upper = lower.toUpperCase();
    const at = await create(upper, newSource('web'));
    const current = await read(lower);
    expect(current.destination.name).toBe(upper);
    requireWritten(await consul.intentions.write(nameOf(lower), current, [newSource('api')], at, never));
    expect((await read(lower)).destination.name).toBe(upper);
  });

  it('names with slashes, spaces, percent signs and letters of other scripts are found again', async () => {
    const { consul, create, read } = theRig();
    for (const odd of ['a/b', 'a//b', 'a/../b', 'a b', '%2e%2e', 'a%', 'a?b#c&d', 'ünï', '😀']) {
      const at = await create(odd, newSource('web'));
      expect((await read(odd)).destination.name).toBe(odd);
      expect((await consul.intentions.delete(nameOf(odd), at, never)).kind).toBe('written');
    }
  });

  it('a delete at the index that was read removes the entry', async () => {
    const { consul, create, fresh } = theRig();
    const orders = fresh('orders');
    const at = await create(orders, newSource('web'));
    expect((await consul.intentions.delete(nameOf(orders), at, never)).kind).toBe('written');
    expect(await consul.intentions.read(nameOf(orders), never)).toBeUndefined();
  });

  it('a delete at an old index is a conflict', async () => {
    const { consul, create, fresh, read } = theRig();
    const orders = fresh('orders');
    const old = await create(orders, newSource('web'));
    const current = await read(orders);
    requireWritten(await consul.intentions.write(nameOf(orders), current, [newSource('api')], old, never));
    const at = (await read(orders)).modifyIndex;
    expect(await consul.intentions.delete(nameOf(orders), old, never)).toEqual({ kind: 'conflict' });
    expect((await read(orders)).modifyIndex).toBe(at);
  });

  it('a delete of what is gone says written, and one of what was made again is a conflict', async () => {
    const { consul, create, fresh, read } = theRig();
    const orders = fresh('orders');
    const at = await create(orders, newSource('web'));
    for (let time = 0; time < 2; time += 1) {
      expect(await consul.intentions.delete(nameOf(orders), at, never)).toEqual({ kind: 'written' });
    }
    const again = await create(orders, newSource(isIndexOfContent ? 'api' : 'web'));
    expect(await consul.intentions.delete(nameOf(orders), at, never)).toEqual({ kind: 'conflict' });
    expect((await read(orders)).modifyIndex).toBe(again);
  });
}
