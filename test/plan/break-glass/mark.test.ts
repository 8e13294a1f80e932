import { describe, expect, test } from 'vitest';
import type { Access } from '../../../src/model/intention.js';
import { guardableEdges } from '../../../src/plan/guards/edges.js';
import { guard } from '../../../src/plan/guards/guards.js';
import { GET, glass, granted, HOUR, ID, on, opened, SCOPES, SUBJECT } from '../break-glass-scene.js';
import { NOTHING_IN_THE_WAY } from '../guarded.js';
import {
  ALLOW,
  client,
  DENY,
  entriesOf,
  entry,
  mapping,
  NOW,
  ourSource,
  planOf,
  plansOf,
  rule,
  type Scene,
  sceneAfter,
  source,
} from '../scene.js';

const later = (before: Scene, ms: number, changes: Partial<Scene> = {}): Scene => ({
  ...before,
  now: NOW + ms,
  ...changes,
});
/** The store is lost: neither its grants nor its records are left, and Consul has the marks. */
const lost = (before: Scene, ms: number, changes: Partial<Scene> = {}): Scene =>
  later(before, ms, { breakGlass: [], written: new Map(), unrecorded: undefined, ...changes });
const descriptionOf = ({ entries }: Scene) =>
  entries.get('default/default/orders')?.sources[0]?.description ?? '';
const marked = (description: string, access: Access = ALLOW) =>
  entriesOf(entry('orders', { ...ourSource('web', access), description }));
const instant = (ms: number) => new Date(NOW + ms).toISOString();

describe('the mark of a source that a break-glass grant opened', () => {
  test('has the end, which goes with the grant', () => {
    const both = opened({
      clients: [client('web', ['orders'])],
      breakGlass: [glass({ methods: ['POST'], path: '/v1' })],
    });
    expect(descriptionOf(both)).toBe(`scopemesh:pay until=${instant(HOUR)} client=main/web`);
    const end = later(both, HOUR);
    expect(descriptionOf(sceneAfter(end, plansOf(end)))).toBe('scopemesh:pay client=main/web');
    expect(descriptionOf(opened({ services: [] }))).toBe(`scopemesh:pay until=${instant(HOUR)}`);
  });

  test('has the first end of two grants, and then the other one', () => {
    const two = opened({
      breakGlass: [
        glass({ methods: ['POST'], path: '/v1' }),
        glass({ id: ID.replace('B', 'C'), methods: ['PUT'], path: '/v1', forMs: 3 * HOUR }),
      ],
    });
    expect(descriptionOf(two)).toContain(`until=${instant(HOUR)} `);
    const end = later(two, HOUR);
    expect(descriptionOf(sceneAfter(end, plansOf(end)))).toContain(`until=${instant(2 * HOUR)} `);
  });

  test('closes it at the end without the store, past every guard, and not before', () => {
    expect(planOf(lost(opened(), HOUR - 1)).changes).toMatchObject([
      { after: undefined, isUnrecorded: true },
    ]);
    for (const doubt of [{}, { unread: ['main'] }, { services: [] }]) {
      const { changes } = planOf(lost(opened(), HOUR, doubt));
      expect(changes).toMatchObject([
        {
          subject: SUBJECT,
          reason: 'BreakGlassEnded',
          after: undefined,
          isInferred: false,
          breakGlass: { does: 'close', isByMark: true },
        },
      ]);
      expect(changes[0]?.isUnrecorded).toBeUndefined();
    }
  });

  test('closes only as many edges as there is room for, and the others wait for a person', () => {
    const description = `scopemesh:pay until=${instant(-HOUR)}`;
    const sources = ['a', 'b', 'c'].map((name) => ({ ...ourSource(name, ALLOW), description }));
    const plan = planOf(lost(granted({ entries: entriesOf(entry('orders', ...sources)) }), 0));
    const closed = (room?: number) => {
      const { changes, holds } = guard(guardableEdges(plan, undefined, room), NOTHING_IN_THE_WAY);
      return [changes.map(({ source }) => source.name), holds.map(({ reason }) => reason)];
    };
    expect(closed()).toEqual([['a', 'b', 'c'], []]);
    expect(closed(1)).toEqual([['a'], ['MarkUnrecorded', 'MarkUnrecorded']]);
    // A grant that the store knows is no such mark.
    const end = later(opened(), HOUR);
    expect(guard(guardableEdges(planOf(end), undefined, 0), NOTHING_IN_THE_WAY).changes).toHaveLength(1);
  });

  test('leaves at the end what scopes open, and opens nothing in the same step', () => {
    const scoped = { clients: [client('web', ['orders'])] };
    const both = opened({ ...scoped, breakGlass: [glass({ methods: ['POST'], path: '/v1' })] });
    expect(planOf(lost(both, HOUR)).changes).toMatchObject([{ reason: 'BreakGlassEnded', after: GET }]);
    const post = opened({ breakGlass: [glass({ methods: ['POST'], path: '/v1' })] });
    expect(planOf(lost(post, HOUR, scoped)).changes).toMatchObject([
      { reason: 'BreakGlassEnded', after: undefined, widens: false },
    ]);
  });

  test('closes it early where the configuration allows no such end, or the clock was set back', () => {
    for (const [ms, changes] of [
      [0, { mapping: mapping({ rules: SCOPES }) }],
      [-4 * HOUR, {}],
    ] as const)
      expect(planOf(lost(opened(), ms, changes)).changes).toMatchObject([{ reason: 'BreakGlassEnded' }]);
  });

  test.each([
    ['removed', 'scopemesh:pay client=main/web'],
    ['set to a later end', `scopemesh:pay until=${instant(3 * HOUR)} client=main/web`],
    ['set to an earlier end', `scopemesh:pay until=${instant(-HOUR)} client=main/web`],
    ['set to no instant', 'scopemesh:pay until=2026-99-99T00:00:00.000Z client=main/web'],
  ])('is put back while the store knows the grant, which ends at its time: one %s', (_, description) => {
    const forged = { ...opened(), entries: marked(description) };
    const { changes } = planOf(forged);
    expect(changes).toMatchObject([{ after: ALLOW, narrows: false, widens: false }]);
    expect(changes[0]?.description).toBe(`scopemesh:pay until=${instant(HOUR)} client=main/web`);
    expect(planOf(later(forged, HOUR)).changes).toMatchObject([
      { reason: 'BreakGlassEnded', after: undefined },
    ]);
  });

  test('that is forged closes no edge with a record', () => {
    const plain = opened({ clients: [client('web', ['orders'])], breakGlass: [] });
    const forged = { ...plain, entries: marked(`scopemesh:pay until=${instant(-HOUR)}`, GET) };
    expect(planOf(forged).changes).toMatchObject([{ after: GET, narrows: false, widens: false }]);
    const lostScope = planOf({ ...forged, clients: [client('web', [])] });
    expect(lostScope.changes).toMatchObject([{ reason: 'ScopeRevoked', isInferred: true }]);
  });

  test('that is forged opens nothing and keeps nothing open, whatever it says', () => {
    for (const ms of [-HOUR, 1, HOUR, 1_000 * HOUR]) {
      const word = `until=${instant(ms)}`;
      const forged = lost(granted({ entries: marked(`scopemesh:pay ${word}`, DENY) }), 0);
      for (const change of planOf(forged).changes) expect(change.widens).toBe(false);
      const wide = granted({
        clients: [client('web', ['orders'])],
        entries: marked(`scopemesh:pay ${word}`, GET),
        mapping: on({ rules: [rule('orders', 'orders')] }),
      });
      for (const change of planOf(lost(wide, 0)).changes) expect(change.isUnrecorded).toBe(true);
      const foreign = granted({
        entries: entriesOf(entry('orders', { ...source('web', ALLOW), description: word })),
      });
      expect(planOf(lost(foreign, 0)).changes).toEqual([]);
      const other = granted({ entries: marked(`scopemesh:other ${word}`) });
      expect(planOf(lost(other, 0)).changes).toEqual([]);
    }
  });

  test('that has no room beside the text of an adopted source holds the grant', () => {
    const text = 'x'.repeat(470);
    const full = {
      entries: marked(`scopemesh:pay text=${text}`, GET),
      clients: [client('web', ['orders'])],
    };
    const { holds, changes } = planOf(granted(full));
    expect(holds).toMatchObject([
      { reason: 'BreakGlassRefused', detail: expect.stringContaining('shorten the text') },
    ]);
    for (const change of changes) expect(change.widens).toBe(false);
  });

  test('is believed by a command that knows neither grants nor records', () => {
    const unknown = { unrecorded: new Set<string>() };
    expect(planOf(lost(opened(), 0, unknown)).changes).toEqual([]);
    expect(planOf(lost(opened(), HOUR, unknown)).changes).toMatchObject([{ after: undefined }]);
  });
});
