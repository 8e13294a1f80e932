import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BreakGlass } from '../../src/model/break-glass.js';
import { isSamePerson, localPerson } from '../../src/model/cause.js';
import type { Access } from '../../src/model/intention.js';
import { covers, union } from '../../src/plan/access.js';
import { breakGlassState, parseBreakGlassText, toBreakGlassText } from '../../src/plan/break-glass.js';
import { toGrantText } from '../../src/plan/grant-text.js';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import { clientText } from '../../src/plan/world.js';
import { GET, glass, granted, HOUR, ID, limits, on, opened, SCOPES, SUBJECT } from './break-glass-scene.js';
import { guarded } from './guarded.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  keyOf,
  mapping,
  NOW,
  planOf,
  plansOf,
  rule,
  type Scene,
  sceneAfter,
  source,
} from './scene.js';
import { someScene } from './worlds.js';

const WEB = { provider: 'main', clientId: 'web' };

const later = (before: Scene, ms: number, changes: Partial<Scene> = {}): Scene => ({
  ...before,
  now: NOW + ms,
  ...changes,
});

describe('a break-glass grant', () => {
  test('opens its edge with a reason of its own, and both persons in the decision', () => {
    const approved = glass({ approvedBy: { id: 'token:bob' } });
    expect(planOf(granted({ breakGlass: [approved] })).changes).toMatchObject([
      {
        subject: SUBJECT,
        reason: 'BreakGlass',
        action: 'grant',
        after: ALLOW,
        scopes: [],
        breakGlass: {
          by: { id: 'token:bob' },
          detail: expect.stringMatching(/os:ana asked, token:bob.*INC-1/),
        },
      },
    ]);
  });

  test('needs no claim, and leaves an empty plan after it was written', () => {
    for (const services of [[claiming('web', 'web')], [claiming('web', '')], []]) {
      const after = opened({ services });
      expect(after.entries.get('default/default/orders')?.sources).toMatchObject([{ access: ALLOW }]);
      expect(plansOf(after).flatMap(({ changes, holds }) => [...changes, ...holds])).toEqual([]);
    }
  });

  test.each<[string, Partial<Scene>]>([
    ['directory', { unread: ['main'] }],
    ['client', { unreadable: new Set([clientText(WEB)]) }],
    ['catalog', { isCatalogRead: false }],
  ])('opens nothing on an unread %s, and closes nothing', (_, doubt) => {
    const closed = planOf(granted(doubt));
    expect(closed).toMatchObject({ changes: [], holds: [{ reason: 'BreakGlassRefused' }] });
    const open = opened({ breakGlass: [glass({ client: WEB })] });
    expect(planOf(later(open, 0, doubt))).toMatchObject({ changes: [], holds: [] });
    expect(planOf(later(open, HOUR, doubt)).changes).toMatchObject([{ reason: 'BreakGlassEnded' }]);
  });

  test('opens while the identity provider cannot be read if its source claims nothing', () => {
    expect(planOf(granted({ unread: ['main'], services: [claiming('web', '')] })).changes).toMatchObject([
      { reason: 'BreakGlass', after: ALLOW },
    ]);
  });

  test('stays closed for the client that its source claimed, whatever it claims now', () => {
    const clientBlocks = new Map([[clientText(WEB), 'ClientQuarantined' as const]]);
    for (const services of [[claiming('web', '')], [], [claiming('web', 'other')]]) {
      const others = { clients: [client('web', []), client('other', [])], services, clientBlocks };
      expect(planOf(granted({ breakGlass: [glass({ client: WEB })], ...others }))).toMatchObject({
        changes: [],
        holds: [{ reason: 'ClientQuarantined' }],
      });
    }
  });

  test('adds to what scopes open, and takes only that away at its end', () => {
    const after = opened({
      clients: [client('web', ['orders'])],
      breakGlass: [glass({ methods: ['POST'], path: '/v1' })],
    });
    const end = later(after, HOUR);
    expect(planOf(later(after, HOUR - 1)).changes).toEqual([]);
    expect(planOf(end).changes).toMatchObject([{ reason: 'BreakGlassEnded', action: 'revoke', after: GET }]);
    const closed = sceneAfter(end, plansOf(end));
    expect(planOf(closed).changes).toEqual([]);
    expect(closed.written.get(SUBJECT)).not.toContain(ID);
  });

  test('that a scope makes superfluous is forgotten without a change of access', () => {
    const both = later(opened(), 0, {
      mapping: on({ rules: [rule('orders', 'orders')] }),
      clients: [client('web', ['orders'])],
    });
    expect(planOf(both)).toMatchObject({ changes: [] });
    const end = later(both, HOUR);
    expect(planOf(end).changes).toMatchObject([
      { reason: 'BreakGlassEnded', after: ALLOW, narrows: false, widens: false },
    ]);
    const closed = sceneAfter(end, plansOf(end));
    expect(planOf(closed).changes).toEqual([]);
    expect(closed.written.get(SUBJECT)).toBe(toLastAppliedText(ALLOW, ['orders']));
    expect(closed.entries.get('default/default/orders')?.sources).toMatchObject([
      { description: 'scopemesh:pay client=main/web' },
    ]);
  });

  test.each<[string, Partial<Scene>]>([
    ['while nothing is known about the client', { unread: ['main'] }],
    ['that the store has forgotten', { breakGlass: [] }],
    ['whose record is lost with the store', { written: new Map(), unrecorded: undefined }],
    ['that the configuration does not allow any more', { mapping: mapping({ rules: SCOPES }), now: NOW }],
    ['in mode extend', { mapping: on({ mode: 'extend' }) }],
    ['whose service has vanished', { services: [] }],
    ['during a freeze', {}],
  ])('closes at its end, past every guard: one %s', (name, changes) => {
    const end = later(opened(), HOUR, changes);
    const freeze = name.includes('freeze') ? { kind: 'started' as const, since: NOW, reason: '' } : undefined;
    const many = {
      used: 0,
      planned: 1_000,
      ownedAtStart: 1,
      maxRevocations: { percent: 0, atLeast: 0, windowMs: 1 },
    };
    expect(guarded(planOf(end), { freeze, budget: many }).changes).toMatchObject([
      { subject: SUBJECT, reason: 'BreakGlassEnded', after: undefined, isInferred: false },
    ]);
  });

  test('closes alone and first if a read also lost the scopes of the edge', () => {
    const after = opened({
      clients: [client('web', ['orders'])],
      breakGlass: [glass({ methods: ['POST'], path: '/v1' })],
    });
    const end = later(after, HOUR, { clients: [client('web', [])] });
    expect(planOf(end).changes).toMatchObject([{ reason: 'BreakGlassEnded', after: GET, isInferred: false }]);
    const rest = sceneAfter(end, plansOf(end));
    expect(planOf(rest).changes).toMatchObject([
      { reason: 'ScopeRevoked', after: undefined, isInferred: true },
    ]);
  });

  test.each<[string, string, Partial<Scene>]>([
    ['a protected destination', 'ProtectedDestination', { mapping: on({ protectedServices: ['orders'] }) }],
    [
      'a client in quarantine',
      'ClientQuarantined',
      { clientBlocks: new Map([[clientText({ provider: 'main', clientId: 'web' }), 'ClientQuarantined']]) },
    ],
    ['a disabled client', 'BreakGlassRefused', { clients: [client('web', [], { enabled: false })] }],
    [
      'an agent that must act for a human',
      'BreakGlassRefused',
      {
        mapping: on({
          classify: [{ clientId: 'web', kind: 'agent' }],
          limits: {
            human: { never: [] },
            workload: { never: [] },
            agent: { never: [], onBehalfOf: 'human' },
          },
        }),
      },
    ],
    [
      'a deny of somebody else',
      'ForeignSource',
      { entries: entriesOf(entry('orders', source('web', DENY))) },
    ],
    [
      'a path at a tcp service',
      'ProtocolUnsuitable',
      { breakGlass: [glass({ path: '/v1' })], protocols: new Map([['orders', 'tcp']]) },
    ],
  ])('never opens %s', (_, reason, changes) => {
    const { changes: made, holds } = planOf(granted(changes));
    expect(made).toEqual([]);
    expect(holds.map((hold) => hold.reason)).toContain(reason);
  });

  test('closes when its client is quarantined', () => {
    const clientBlocks = new Map([
      [clientText({ provider: 'main', clientId: 'web' }), 'ClientQuarantined' as const],
    ]);
    expect(planOf(later(opened(), 0, { clientBlocks })).changes).toMatchObject([
      { reason: 'ClientQuarantined', after: undefined, isInferred: false },
    ]);
  });

  test('is held by a freeze, unless the person who asked for it said otherwise', () => {
    const freeze = { kind: 'started' as const, since: NOW, reason: 'release' };
    const plan = (duringFreeze: boolean) =>
      guarded(planOf(granted({ breakGlass: [glass({ duringFreeze })] })), { freeze });
    expect(plan(false)).toMatchObject({ changes: [], holds: [{ reason: 'Frozen' }] });
    expect(plan(true).changes).toMatchObject([{ reason: 'BreakGlass' }]);
  });
});

describe('the state of a break-glass grant', () => {
  const state = (changes: Partial<BreakGlass>, settings = {}, now = NOW) =>
    breakGlassState(glass(changes), on(settings), now);
  const { openedAt: _, ...unopened } = glass();

  test('ends at its second, and at the longest time that the file allows now', () => {
    expect(state({}, {}, NOW + HOUR - 1)).toBe('open');
    expect(state({}, {}, NOW + HOUR)).toBe('ended');
    expect(state({}, { breakGlass: { ...limits, longestMs: HOUR } })).toBe('ended');
    expect(state({}, { breakGlass: undefined })).toBe('ended');
    expect(state({ destination: 'safe' })).toBe('ended');
    expect(state({ source: 'Safe' })).toBe('ended');
  });

  test('needs two different persons where the file says so', () => {
    const two = { approvers: 2 };
    expect(state({}, two)).toBe('ended');
    expect(state({ approvedBy: { id: 'token:Ana' } }, two)).toBe('ended');
    expect(state({ approvedBy: { id: 'os:bob' } }, two)).toBe('open');
    expect(state({}, {}, NOW - HOUR - 60_001)).toBe('ended');
    expect(state({}, {}, NOW - HOUR - 60_000)).toBe('open');
    expect(breakGlassState(unopened, on(two), NOW - 1)).toBe('asked');
    expect(breakGlassState(unopened, on(two), NOW)).toBe('ended');
    expect(isSamePerson({ id: 'oidc: ANA' }, { id: 'token:ana' })).toBe(true);
    expect(isSamePerson(localPerson('ana'), localPerson('bob'))).toBe(true);
    expect(isSamePerson(localPerson('ana'), { id: 'token:Ana' })).toBe(true);
    expect(isSamePerson(localPerson('ana'), { id: 'token:bob' })).toBe(false);
  });

  test('has a text that no scope has', () => {
    const text = toBreakGlassText(ID);
    expect(parseBreakGlassText(text)).toBe(ID);
    const scopes = [
      { name: text },
      { api: 'break-glass', name: ID },
      { api: 'break-glass', name: `${ID}","` },
    ];
    for (const scope of scopes) expect(parseBreakGlassText(toGrantText(scope))).toBeUndefined();
  });
});

test('leaves no access after its end, in any world, whatever is known then', () => {
  const ends = fc.record({
    from: fc.constantFrom('web', 'api', 'job'),
    to: fc.constantFrom('orders', 'reports', 'vault'),
    isUnread: fc.boolean(),
    post: fc.boolean(),
  });
  fc.assert(
    fc.property(someScene, ends, (world, { from, to, isUnread, post }) => {
      const settle = (each: Scene) => {
        let now = each;
        for (let round = 0; round < 3; round++) now = sceneAfter(now, plansOf(now));
        return now;
      };
      const enforced = { ...world.mapping, mode: 'enforce' as const, breakGlass: limits };
      const grant = glass({
        source: from,
        destination: to,
        ...(post ? { methods: ['POST'], path: '/' } : {}),
      });
      const base = { ...world, mapping: enforced, breakGlass: [] };
      const unread = isUnread ? { unread: enforced.providers } : {};
      const open = settle({ ...base, breakGlass: [{ ...grant, openedAt: world.now }] });
      const end = settle({ ...open, ...unread, now: world.now + 2 * HOUR });
      const plain = settle({ ...settle(base), ...unread, now: world.now + 2 * HOUR });
      const edges = ({ entries }: Scene) =>
        (entries.get(keyOf(to))?.sources ?? []).flatMap(({ name, peer, access }) =>
          name === from && peer === undefined && access.kind !== 'other' ? access : [],
        );
      const known = edges(plain).reduce<Access | undefined>(union, undefined);
      for (const access of edges(end)) expect(covers(known, access)).toBe(true);
    }),
    { numRuns: 40 },
  );
});
