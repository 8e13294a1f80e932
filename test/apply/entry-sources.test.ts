import { describe, expect, it } from 'vitest';
import { entryAfter, isLikeWritten, sourcesAfter } from '../../src/apply/entry-sources.js';
import type { IntentionSource } from '../../src/model/intention.js';
import { ALLOW, DENY, entry, ourSource, source } from '../plan/scene.js';
import { change, denial, loss, ORDERS } from './apply-rig.js';

const textsAfter = (sources: readonly IntentionSource[], ...changes: Parameters<typeof sourcesAfter>[1]) =>
  sourcesAfter(sources, changes, 'pay').map(
    (each) => `${each.name}${each.description === '' ? '' : ' ours'} ${each.access.kind}`,
  );

describe('the sources of an entry after changes', () => {
  it('keep their places, and new ones come last in the order of the changes', () => {
    const sources = [source('a', DENY), ourSource('b', ALLOW), source('c', ALLOW), ourSource('d', ALLOW)];
    expect(textsAfter(sources, change('y'), denial('b'), change('x'), loss('d'))).toEqual([
      'a deny',
      'b ours deny',
      'c allow',
      'y ours allow',
      'x ours allow',
    ]);
  });

  it('are the very objects that were read where no change is about them', () => {
    const sources = [source('a', ALLOW), ourSource('b', ALLOW)];
    const kept = sourcesAfter(sources, [change('c')], 'pay').slice(0, 2);
    expect(kept[0]).toBe(sources[0]);
    expect(kept[1]).toBe(sources[1]);
  });

  it.each([
    ['without a mark', source('web', ALLOW)],
    ['of an owner whose name begins with ours', source('web', ALLOW, 'scopemesh:payments client=main/web')],
    [
      'of a peer, even with our mark',
      source('web', ALLOW, 'scopemesh:pay client=main/web', { peer: 'east' }),
    ],
    ['of another namespace', { ...ourSource('web', ALLOW), namespace: 'team' }],
    ['of another partition', { ...ourSource('web', ALLOW), partition: 'east' }],
    ['whose name differs in case', ourSource('Web', ALLOW)],
  ])('keep one %s whatever a change says of that name', (_, foreign) => {
    expect(sourcesAfter([foreign], [loss('web')], 'pay')).toEqual([foreign]);
    expect(sourcesAfter([foreign], [denial('web')], 'pay')[0]).toBe(foreign);
  });

  it('keep the wildcard, also one with our mark', () => {
    const marked = ourSource('*', ALLOW);
    expect(sourcesAfter([marked], [loss('*')], 'pay')).toEqual([marked]);
  });

  it('take over an unmarked source by its adoption alone, never one of a peer', () => {
    const adoption = change('web', ALLOW, { reason: 'Adopted', verb: 'updated' });
    expect(textsAfter([source('web', ALLOW)], adoption)).toEqual(['web ours allow']);
    const peers = source('web', ALLOW, '', { peer: 'east' });
    expect(sourcesAfter([peers], [adoption], 'pay')[0]).toBe(peers);
  });

  it('keep the form of an adopted source, but for its Description', () => {
    const adoption = change('web', ALLOW, { reason: 'Adopted', verb: 'updated' });
    const raw = { Name: 'web', Permissions: ['in the form of its author'], Description: 'by hand' };
    const [adopted] = sourcesAfter([source('web', ALLOW, 'by hand', { raw })], [adoption], 'pay');
    expect(adopted).toMatchObject({
      description: adoption.description,
      raw: { ...raw, Description: adoption.description },
    });
  });

  it('have the Description of the change, with the mark', () => {
    const [made] = sourcesAfter([], [change('web')], 'pay');
    expect(made).toEqual({
      ...change('web').source,
      description: 'scopemesh:pay client=main/web',
      access: ALLOW,
    });
  });

  it('change the first of two equal names alone', () => {
    const sources = [ourSource('web', ALLOW), ourSource('web', ALLOW)];
    expect(textsAfter(sources, denial('web'))).toEqual(['web ours deny', 'web ours allow']);
  });

  it('gain nothing by the loss of what is not there', () => {
    expect(textsAfter([], loss('web'))).toEqual([]);
  });
});

describe('an entry that is read back', () => {
  const written = entry('orders', ourSource('a', ALLOW), source('b', ALLOW));

  it('is like the written one in whatever order Consul lists its sources', () => {
    const sorted = { ...written, sources: written.sources.toReversed(), modifyIndex: 9 };
    expect(isLikeWritten(sorted, written)).toBe(true);
    expect(isLikeWritten(undefined, undefined)).toBe(true);
  });

  it('is not like it once another writer changed a source, a mark or the Meta', () => {
    for (const changed of [
      undefined,
      { ...written, meta: { team: 'x' } },
      entry('orders', ourSource('a', ALLOW)),
      entry('orders', source('a', ALLOW), source('b', ALLOW)),
      entry('orders', ourSource('a', ALLOW), source('b', ALLOW, '', { peer: 'east' })),
      entry('orders', ourSource('a', ALLOW), source('b', ALLOW, '', { namespace: 'team' })),
    ])
      expect(isLikeWritten(changed, written)).toBe(false);
  });
});

describe('the entry after a write', () => {
  it('is undefined without sources', () => {
    expect(entryAfter(entry('orders'), ORDERS, [], 9)).toBeUndefined();
  });

  it('keeps the fields of others, and what it had of each source that was read', () => {
    const current = {
      ...entry('orders', source('a', ALLOW)),
      meta: { team: 'x' },
      raw: { Name: 'orders', JWT: {} },
    };
    const sources = sourcesAfter(current.sources, [change('web')], 'pay');
    const next = entryAfter(current, ORDERS, sources, 9);
    expect(next).toMatchObject({ destination: ORDERS, meta: current.meta, raw: current.raw, modifyIndex: 9 });
    expect(next?.sources[0]).toBe(current.sources[0]);
    expect(next?.sources[1]).toMatchObject({ name: 'web', isLegacy: false, raw: {} });
  });

  it('of a destination without one has nothing but its sources', () => {
    expect(
      entryAfter(
        undefined,
        ORDERS,
        [change('web')].map(({ source: name, description }) => ({ ...name, description, access: ALLOW })),
        3,
      ),
    ).toMatchObject({ meta: {}, raw: {}, modifyIndex: 3 });
  });
});
