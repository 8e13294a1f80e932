import { describe, expect, test } from 'vitest';
import type { BreakGlass } from '../../src/model/break-glass.js';
import type { Access } from '../../src/model/intention.js';
import { toBreakGlassText } from '../../src/plan/break-glass.js';
import { toBreakGlassView } from '../../src/plan/break-glass-view.js';
import {
  closingOf,
  closingPart,
  type EdgeBreakGlass,
  edgeBreakGlass,
  endReason,
  hasNoBreakGlass,
  hasOtherBreakGlass,
  keptAccess,
  openingPart,
  recordAfterClosing,
  withoutBreakGlass,
} from '../../src/plan/edge-break-glass.js';
import { statusOfSource } from '../../src/plan/edge-claim.js';
import { parseLastAppliedText, toLastAppliedText } from '../../src/plan/last-applied.js';
import { createSelection } from '../../src/plan/selection.js';
import { clientText } from '../../src/plan/world.js';
import { glass, HOUR } from './break-glass-scene.js';
import {
  ALLOW,
  claiming,
  client,
  inputsOf,
  mapping,
  NOW,
  named,
  ourSource,
  type Scene,
  scene,
} from './scene.js';

const ID = '01JDXK4T0QJ5W3M8V7Z2R6N9PB';
const OTHER = '01JDXK4T0QJ5W3M8V7Z2R6N9PC';
const SUBJECT = 'intention/default/default/orders/web';
const WEB = { provider: 'main', clientId: 'web' };
const on = (changes = {}) => mapping({ breakGlass: { longestMs: 4 * HOUR, never: [] }, ...changes });
const methods = (...names: readonly string[]): Access => ({
  kind: 'http',
  permissions: [{ methods: names }],
});

const ended = (changes: Partial<BreakGlass> = {}) => glass({ endedAt: NOW, ...changes });
const record = (access: Access | undefined, ...opensBy: readonly string[]) =>
  parseLastAppliedText(toLastAppliedText(access, opensBy));

/** What the grants do with the edge from `web` to `orders`. */
const edge = (
  grants: readonly BreakGlass[],
  {
    lastApplied,
    ours,
    ...changes
  }: Partial<Scene> & { lastApplied?: ReturnType<typeof record>; ours?: Access } = {},
): EdgeBreakGlass => {
  const world = scene({ mapping: on(), clients: [client('web', [])], breakGlass: grants, ...changes });
  const input = inputsOf({ ...world, breakGlass: [glass(), ...grants] }).find(
    ({ destination }) => destination.name === 'orders',
  );
  if (input === undefined) throw new Error('nothing is about orders');
  const of = { ...input, breakGlass: { ...input.breakGlass, grants } };
  const source = ours === undefined ? undefined : ourSource('web', ours);
  return edgeBreakGlass(named('web'), statusOfSource(named('web'), undefined, of), lastApplied, of, source);
};
const reasons = ({ holds }: EdgeBreakGlass) => holds.map(({ reason }) => reason);
const ids = (grants: readonly BreakGlass[]) => grants.map(({ id }) => id);

const NO: EdgeBreakGlass = { opening: [], opened: [], closing: [], isOrphaned: false, holds: [] };
const opening = (...grants: readonly BreakGlass[]) => grants.map((each) => ({ glass: each, access: ALLOW }));

describe('a break-glass grant that opens an edge', () => {
  test('has opened it before only if the record names it', () => {
    const found = (...opensBy: readonly string[]) =>
      ids(edge([glass()], { lastApplied: record(ALLOW, ...opensBy) }).opened);
    expect(found(toBreakGlassText(ID))).toEqual([ID]);
    expect(found(toBreakGlassText(OTHER))).toEqual([]);
    expect(found('orders')).toEqual([]);
    expect(ids(edge([glass()]).opened)).toEqual([ID]);
  });

  test.each<[string, Partial<Scene>]>([
    ['the place of its source', { mapping: on({ select: createSelection({ namespaces: ['team'] }) }) }],
    ['the client of its source', { mapping: on({ select: createSelection({ clients: ['job'] }) }) }],
  ])('opens nothing and says nothing where the instance does not have %s', (_, changes) => {
    expect(edge([glass()], changes)).toMatchObject({ opening: [], holds: [] });
  });

  test('opens nothing where its path is not plain', () => {
    const found = edge([glass({ path: '/a/../b' })]);
    expect(found.opening).toEqual([]);
    expect(found.holds).toMatchObject([
      { reason: 'BreakGlassRefused', action: 'grant', scopes: [], after: undefined, subject: SUBJECT },
    ]);
  });

  test('opens everything at a tcp service', () => {
    expect(edge([glass()], { protocols: new Map([['orders', 'tcp']]) }).opening).toHaveLength(1);
  });

  test('opens nothing while an order closes the client that its source claims or claimed', () => {
    const clientBlocks = new Map([[clientText(WEB), 'RevocationUnconfirmed' as const]]);
    const now = edge([glass()], { clientBlocks });
    const before = edge([glass({ client: WEB })], { clientBlocks, services: [claiming('web', '')] });
    for (const found of [now, before]) {
      expect(found.opening).toEqual([]);
      expect(reasons(found)).toEqual(['BreakGlassRefused']);
    }
  });

  test('closes what it opened as soon as it is refused, and keeps it in doubt', () => {
    const lastApplied = record(ALLOW, toBreakGlassText(ID));
    const disabled = edge([glass()], {
      lastApplied,
      clients: [client('web', [], { enabled: false })],
      ours: ALLOW,
    });
    expect([disabled.opening, ids(disabled.closing)]).toEqual([[], [ID]]);
    const unread = edge([glass()], { lastApplied, unread: ['main'], ours: ALLOW });
    expect(unread).toMatchObject({ opening: [{ access: ALLOW }], closing: [], holds: [] });
    const unreadNew = edge([glass()], {
      lastApplied: record(ALLOW, 'orders'),
      unread: ['main'],
      ours: ALLOW,
    });
    expect(unreadNew).toMatchObject({ opening: [], closing: [] });
    expect(reasons(unreadNew)).toEqual(['BreakGlassRefused']);
  });

  test('keeps in doubt no more than what is there', () => {
    const lastApplied = record(methods('GET'), toBreakGlassText(ID));
    const found = edge([glass()], { lastApplied, unread: ['main'], ours: methods('GET') });
    expect(found.opening).toMatchObject([{ access: methods('GET') }]);
    expect(reasons(found)).toEqual(['BreakGlassRefused']);
    expect(edge([glass()], { lastApplied, unread: ['main'] })).toMatchObject({ opening: [], closing: [] });
  });

  test.each<[string, Partial<Scene>]>([
    ['one of its two clients is unread', { mapping: on({ providers: ['main', 'far'] }), unread: ['far'] }],
    ['the catalog is unread', { isCatalogRead: false }],
  ])('is in doubt where %s', (_, changes) => {
    const found = edge([glass({ client: { provider: 'far', clientId: 'old' } })], {
      services: [claiming('web', '')],
      ...changes,
    });
    expect(found).toMatchObject({ opening: [], closing: [] });
    expect(reasons(found)).toEqual(['BreakGlassRefused']);
  });

  test('passes a freeze only if every grant of the edge does', () => {
    const input = { mapping: on() } as Parameters<typeof openingPart>[1];
    const through = glass({ duringFreeze: true });
    expect(openingPart(opening(through, glass({ id: OTHER })), input)).toMatchObject({
      does: 'open',
      passesFreeze: false,
      by: { id: 'os:ana' },
      detail: expect.stringMatching(new RegExp(`${ID}.*; .*${OTHER}`)),
    });
    expect(openingPart(opening(through), input).passesFreeze).toBe(true);
    expect(openingPart(opening(glass({ approvedBy: { id: 'os:bob' } })), input).by).toEqual({ id: 'os:bob' });
  });
});

describe('a break-glass grant that is over', () => {
  test('closes only what it opened, as far as a record says', () => {
    const of = (...opensBy: readonly string[]) =>
      ids(edge([ended()], { lastApplied: record(ALLOW, ...opensBy) }).closing);
    expect(of(toBreakGlassText(ID))).toEqual([ID]);
    expect(of('orders')).toEqual([]);
    expect(ids(edge([ended()]).closing)).toEqual([ID]);
    const { openedAt: _, ...asked } = glass({ askedAt: NOW });
    expect(edge([asked])).toMatchObject({ opening: [], closing: [] });
  });

  test('closes an edge that nothing else opened, also where nobody knows the grant any more', () => {
    const orphaned = (grants: readonly BreakGlass[], ...opensBy: readonly string[]) =>
      edge(grants, { lastApplied: record(ALLOW, ...opensBy) }).isOrphaned;
    expect(orphaned([], toBreakGlassText(ID))).toBe(true);
    expect(orphaned([glass({ id: OTHER })], toBreakGlassText(ID))).toBe(true);
    expect(orphaned([glass()], toBreakGlassText(ID))).toBe(false);
    expect(orphaned([], toBreakGlassText(ID), 'orders')).toBe(false);
    expect(orphaned([], 'orders')).toBe(false);
    expect(edge([]).isOrphaned).toBe(false);
  });

  test('leaves what scopes and other grants open', () => {
    const post = ended({ methods: ['POST'], path: '/' });
    expect(closingOf({ ...NO, closing: [post] }, ALLOW)).toMatchObject({ before: ALLOW, left: ALLOW });
    expect(closingOf({ ...NO, closing: [ended()] }, ALLOW)).toEqual({ before: ALLOW, left: undefined });
    const still = { ...NO, closing: [ended()], opening: opening(glass({ id: OTHER })) };
    expect(closingOf(still, ALLOW)).toMatchObject({ left: ALLOW });
    expect(closingOf({ ...NO, isOrphaned: true }, ALLOW)).toEqual({ before: ALLOW, left: undefined });
  });

  test('closes nothing where nothing is, or what is there is not understood', () => {
    expect(closingOf(NO, ALLOW)).toBeUndefined();
    expect(closingOf({ ...NO, closing: [ended()] }, undefined)).toBeUndefined();
    expect(closingOf({ ...NO, closing: [ended()] }, { kind: 'other' })).toBeUndefined();
  });

  test('is named with its end, or as forgotten', () => {
    const input = { mapping: on() } as Parameters<typeof closingPart>[1];
    expect(closingPart({ closing: [ended()] }, input)).toEqual({
      detail: expect.stringContaining(`${ID} until ${new Date(NOW).toISOString()}`),
      by: undefined,
      does: 'close',
      passesFreeze: true,
    });
    expect(closingPart({ closing: [] }, input).detail).toBe('a break-glass grant that is over opened it');
    expect(closingPart({ closing: [glass()] }, { mapping: mapping() } as typeof input).detail).toContain(
      new Date(NOW - HOUR).toISOString(),
    );
    const byMark = closingPart({ closing: [], markedEnd: NOW }, input);
    expect(byMark.detail).toMatch(/^only the mark of the source says .* until 2027-01-15T08:00:00.000Z;/);
    expect(byMark.isByMark).toBe(true);
    expect(closingPart({ closing: [ended()], markedEnd: NOW }, input)).not.toHaveProperty('isByMark');
  });

  test('ends with a cause of its own, unless a fact that no read decides says more', () => {
    for (const reason of ['ClientQuarantined', 'RevocationUnconfirmed', 'ProtectedService'] as const) {
      expect(endReason({ reason, isInferred: false, scopes: [] })).toBe(reason);
      expect(endReason({ reason, isInferred: true, scopes: [] })).toBe('BreakGlassEnded');
    }
    expect(endReason({ reason: 'ScopeRevoked', isInferred: false, scopes: [] })).toBe('BreakGlassEnded');
  });
});

describe('what scopes may keep of an edge', () => {
  const ours = (access: ReturnType<typeof ourSource>['access']) => ourSource('web', access);
  const both = methods('GET', 'POST');
  const post = glass({ methods: ['POST'] });

  test('is nothing that a grant opened', () => {
    expect(withoutBreakGlass(ours(both), { ...NO, opened: [post] })).toMatchObject({
      access: methods('GET'),
    });
    expect(withoutBreakGlass(ours(both), { ...NO, closing: [post] })).toMatchObject({
      access: methods('GET'),
    });
    expect(withoutBreakGlass(ours(both), { ...NO, closing: [glass()] })).toBeUndefined();
    expect(withoutBreakGlass(ours(both), { ...NO, isOrphaned: true })).toBeUndefined();
  });

  test('is all of it where no grant opened anything', () => {
    expect(withoutBreakGlass(ours(both), NO)).toMatchObject({ access: both });
    expect(withoutBreakGlass(undefined, { ...NO, closing: [post] })).toBeUndefined();
    expect(withoutBreakGlass(ours({ kind: 'other' }), { ...NO, closing: [post] })).toMatchObject({
      access: { kind: 'other' },
    });
  });

  test('stays while nothing is known about the client, without what closes', () => {
    const kept = (access: Parameters<typeof ours>[0], of: EdgeBreakGlass, last = record(both, 'orders')) =>
      keptAccess(ours(access), undefined, last, of);
    expect(kept(both, NO)).toMatchObject({
      access: both,
      scopes: ['orders'],
      opensBy: ['orders'],
      awaits: [],
      holds: [],
    });
    expect(kept(both, { ...NO, closing: [post] }).access).toEqual(methods('GET'));
    expect(kept(both, { ...NO, isOrphaned: true }).access).toBeUndefined();
    expect(kept({ kind: 'other' }, NO).access).toBeUndefined();
    expect(keptAccess(ours(both), undefined, undefined, NO)).toMatchObject({ scopes: [], opensBy: [] });
  });
});

describe('the records of grants', () => {
  test('say whether a grant is about the edge at all', () => {
    expect(hasNoBreakGlass(NO)).toBe(true);
    for (const changes of [{ opening: opening(glass()) }, { closing: [ended()] }, { isOrphaned: true }])
      expect(hasNoBreakGlass({ ...NO, ...changes })).toBe(false);
    expect(hasNoBreakGlass({ ...NO, opening: opening(glass()), closing: [ended()] })).toBe(false);
  });

  test('keep the scopes and the grants that stay when a grant closes', () => {
    const [a, b] = [toBreakGlassText(ID), toBreakGlassText(OTHER)];
    expect(
      recordAfterClosing(record(ALLOW, 'orders', a), { ...NO, opening: opening(glass({ id: OTHER })) }),
    ).toEqual([b, 'orders'].toSorted());
    expect(recordAfterClosing(undefined, NO)).toEqual([]);
  });

  test('are written again where other grants open the edge now', () => {
    const [a, b] = [toBreakGlassText(ID), toBreakGlassText(OTHER)];
    expect(hasOtherBreakGlass(record(ALLOW, 'orders', b, a), ['orders', a, b])).toBe(false);
    expect(hasOtherBreakGlass(record(ALLOW, 'orders'), ['orders', 'more'])).toBe(false);
    expect(hasOtherBreakGlass(record(ALLOW, a), [b])).toBe(true);
    expect(hasOtherBreakGlass(record(ALLOW, a), [])).toBe(true);
    expect(hasOtherBreakGlass(undefined, [a])).toBe(false);
  });
});

test('a grant is shown with its end as the file allows it now', () => {
  const view = (changes: Partial<BreakGlass> = {}, of = on()) => toBreakGlassView(glass(changes), of, NOW);
  const at = (ms: number) => new Date(NOW + ms).toISOString();
  expect(view()).toMatchObject({
    methods: null,
    path: null,
    state: 'open',
    forSeconds: 7_200,
    askedAt: at(-HOUR),
    openedAt: at(-HOUR),
    approvedBy: null,
    until: at(HOUR),
  });
  expect(view({ endedAt: NOW, methods: ['GET'], path: '/a', approvedBy: { id: 'x' } })).toMatchObject({
    methods: ['GET'],
    path: '/a',
    approvedBy: 'x',
    until: at(0),
  });
  expect(view({}, mapping()).until).toBe(at(-HOUR));
  const { openedAt: _, ...asked } = glass();
  expect(toBreakGlassView(asked, on(), NOW)).toMatchObject({ openedAt: null, until: null });
});
