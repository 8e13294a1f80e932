import { describe, expect, it } from 'vitest';
import type { BreakGlass } from '../../../src/model/break-glass.js';
import { localPerson } from '../../../src/model/cause.js';
import {
  approveBreakGlass,
  endBreakGlass,
  GRANTS,
  heldBy,
  requestBreakGlass,
} from '../../../src/operator/break-glass.js';
import type { BreakGlassRequest } from '../../../src/operator/break-glass-request.js';
import { followBreakGlass } from '../../../src/operator/follow-break-glass.js';
import { follow, restoreRulings } from '../../../src/operator/ruling-store.js';
import { createRulings } from '../../../src/operator/rulings.js';
import { planDestination } from '../../../src/plan/plan-destination.js';
import { createSelection } from '../../../src/plan/selection.js';
import { inputOf } from '../../../src/state/fleet.js';
import { WorldState } from '../../../src/state/world-state.js';
import { notes } from '../../lease/lease-rig.js';
import { ALLOW, claiming, entry, mapping, NOW, named, ourSource, rule, SETTINGS } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';

const HOUR = 3_600_000;
const ANA = localPerson('ana');
const [BOB, CARL] = [{ id: 'token:bob' }, { id: 'token:carl' }];
const ID = '01JDXK4T0QJ5W3M8V7Z2R6N001';
const PLACE = { partition: 'default', namespace: 'default' };
const REQUEST: BreakGlassRequest = {
  ...PLACE,
  source: 'api',
  destination: 'billing',
  reason: 'INC-1',
  forMs: 2 * HOUR,
};
const GRANT: BreakGlass = {
  ...REQUEST,
  id: ID,
  client: { provider: 'main', clientId: 'api' },
  duringFreeze: false,
  askedAt: NOW,
  askedBy: ANA,
};
const instant = (at: number) => new Date(at).toISOString();

function start(approvers: 1 | 2 = 2) {
  const world = worldWithTwo();
  const limits = { longestMs: 4 * HOUR, never: ['vault'] };
  world.setMapping(
    mapping({ rules: [rule('billing', 'billing'), rule('vault', 'vault')], breakGlass: limits, approvers }),
  );
  const all = depsOf(world, {});
  let now = NOW;
  let ids = 0;
  const { logger, logged } = notes();
  const deps = {
    ...all.deps,
    clock: { now: () => now, sleep: async () => {} },
    newId: () => `01JDXK4T0QJ5W3M8V7Z2R6N${String(++ids).padStart(3, '0')}`,
    logger,
  };
  const advance = (ms: number) => {
    now += ms;
  };
  /** Grants that the store has already. */
  const store = (...grants: readonly BreakGlass[]) => {
    const lastApplied = new Map(grants.map((each) => [`break-glass/${each.id}`, JSON.stringify(each)]));
    return deps.journal.settle('ruling/pay', [], { lastApplied });
  };
  const ask = (request: Partial<BreakGlassRequest> = {}, by = ANA) =>
    requestBreakGlass({ ...REQUEST, ...request }, by, deps);
  const approve = (by: { readonly id: string }, id = ID) => approveBreakGlass(id, by, deps);
  const end = (by: { readonly id: string }, id = ID) => endBreakGlass(id, 'solved', by, deps);
  const opened = () =>
    planDestination(inputOf(world, named('billing'), now)).changes.map(({ widens }) => widens);
  return { ...all, deps, world, logged, advance, store, ask, approve, end, opened };
}

const REPLAN = (kind: 'command' | 'resync', at = NOW) => ({
  key: { kind: 'destination', ...PLACE, service: 'billing' },
  cause: { kind, receivedAt: instant(at) },
  urgent: true,
});
const RESOURCE = { kind: 'break-glass', name: ID, source: 'api', destination: 'billing', ...PLACE };

it('is asked for by one person, opened by another one, and ended by any, with a decision of each', async () => {
  const { ask, approve, end, opened, advance, world, added, decisions, logged } = start();
  expect(await ask()).toEqual({ kind: 'done', ruling: GRANT });
  expect(opened()).toEqual([]);
  for (const by of [ANA, localPerson('bob')])
    expect(await approve(by)).toEqual({
      kind: 'refused',
      why: 'local (ana) asked for this break-glass grant, so another person must approve it',
    });
  expect(opened()).toEqual([]);
  advance(60_000);
  const open = { ...GRANT, openedAt: NOW + 60_000, remindedAt: NOW + 60_000, approvedBy: BOB };
  expect(await approve(BOB)).toEqual({ kind: 'done', ruling: open });
  expect(opened()).toEqual([true]);
  expect(await approve(CARL)).toEqual({ kind: 'refused', why: 'this break-glass grant is open already' });
  advance(60_000);
  const ended = { ...open, endedAt: NOW + 120_000 };
  expect(await end(CARL)).toEqual({ kind: 'done', ruling: ended });
  expect(opened()).toEqual([]);
  expect(await end(ANA)).toEqual({ kind: 'refused', why: 'this break-glass grant is over already' });
  expect(await approve(BOB)).toEqual({ kind: 'refused', why: 'this break-glass grant is over; ask again' });
  expect(world.breakGlass.all).toEqual([ended]);
  // Once for each: what the store has is no news.
  expect(added).toEqual([NOW, NOW + 60_000, NOW + 120_000].map((at) => REPLAN('command', at)));
  const common = { subject: `break-glass/${ID}`, resource: RESOURCE };
  const view = { id: ID, until: null };
  expect(decisions).toMatchObject([
    {
      ...common,
      ...{ id: ID, type: 'dev.scopemesh.break-glass.held', outcome: 'held', reason: 'BreakGlassAsked' },
      ...{ principal: ANA, detail: 'INC-1', before: null, after: { ...view, state: 'asked' } },
    },
    {
      ...common,
      ...{
        type: 'dev.scopemesh.break-glass.created',
        outcome: 'applied',
        reason: 'BreakGlass',
        principal: BOB,
      },
      detail: 'local (ana) asked, token:bob approved: INC-1',
      before: { ...view, state: 'asked' },
      after: { state: 'open', until: instant(NOW + 60_000 + 2 * HOUR) },
    },
    {
      ...common,
      ...{ type: 'dev.scopemesh.break-glass.deleted', outcome: 'applied', reason: 'BreakGlassEnded' },
      ...{ principal: CARL, detail: 'token:carl: solved' },
      ...{ before: { state: 'open' }, after: { state: 'ended', until: instant(NOW + 120_000) } },
    },
  ]);
  expect(new Set(decisions.map(({ id }) => id)).size).toBe(3);
  const edge = { id: ID, source: 'api', destination: 'billing' };
  expect(logged).toEqual([
    {
      ...{ ...edge, by: 'local', reason: 'BreakGlassAsked', detail: 'INC-1' },
      message: 'a person asks for a break-glass grant; another one must approve it',
    },
    {
      ...{ ...edge, by: 'token:bob', reason: 'BreakGlass' },
      detail: 'local (ana) asked, token:bob approved: INC-1',
      message: 'a break-glass grant opens an edge that the identity provider does not grant',
    },
    {
      ...{ ...edge, by: 'token:carl', reason: 'BreakGlassEnded', detail: 'token:carl: solved' },
      message: 'a break-glass grant ended; its edge is being closed',
    },
  ]);
});

it('is opened and dropped by its ID as holds are', async () => {
  const { deps, ask, opened } = start();
  const rulings = createRulings(deps);
  await ask();
  expect(await rulings.onHold(ID, 'approve', ANA, false)).toMatchObject({ kind: 'refused' });
  const hold = { subject: `break-glass/${ID}` };
  expect(await rulings.onHold(ID, 'approve', BOB, false)).toEqual({ kind: 'ruled', hold });
  expect(opened()).toEqual([true]);
  expect(await rulings.onHold(ID, 'reject', CARL, false)).toEqual({ kind: 'ruled', hold });
  expect(opened()).toEqual([]);
});

it('waits an hour for its second person, and names one grant alone', async () => {
  const { ask, approve, end, advance, opened } = start();
  await ask();
  for (const act of [approve, end])
    expect(await act(BOB, '01JDXK4T0QJ5W3M8V7Z2R6N999')).toEqual({
      kind: 'unknown',
      why: 'no break-glass grant has this ID; it may be over',
    });
  advance(HOUR);
  expect(await approve(BOB)).toMatchObject({ kind: 'refused', why: /is over/ });
  expect(opened()).toEqual([]);
});

it('notes what its source claims when it is approved, if it claimed nothing when it was asked for', async () => {
  const { ask, approve, world } = start();
  const show = (...services: readonly ReturnType<typeof claiming>[]) =>
    world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  show(claiming('api', ''), claiming('web', 'web'));
  expect(await ask()).toMatchObject({ ruling: { id: ID, askedBy: ANA } });
  expect(world.breakGlass.all[0]?.client).toBeUndefined();
  show(claiming('api', 'api'), claiming('web', 'web'));
  expect(await approve(BOB)).toMatchObject({ kind: 'done', ruling: { client: GRANT.client } });
});

it('is open at once where one person is enough, and says which freeze keeps its edge closed', async () => {
  const { ask, deps, world, opened, decisions } = start(1);
  const open = { ...GRANT, openedAt: NOW, remindedAt: NOW };
  expect(await ask()).toEqual({ kind: 'done', ruling: open });
  expect(opened()).toEqual([true]);
  expect(decisions).toMatchObject([{ type: 'dev.scopemesh.break-glass.created', reason: 'BreakGlass' }]);
  world.freezes.set([{ kind: 'started', since: NOW, reason: 'release', by: BOB }]);
  expect(await ask({ source: 'web' })).toMatchObject({ kind: 'done' });
  expect(await ask({ source: 'web', duringFreeze: true })).toMatchObject({ kind: 'done' });
  expect(world.breakGlass.all.map((each) => [each.source, heldBy(each, deps)]).slice(1)).toEqual([
    [
      'web',
      'token:bob started a freeze, which lets only revocations pass until scopemesh freeze end: release',
    ],
    ['web', undefined],
  ]);
});

describe('a request is refused', () => {
  it.each([
    ['for a path that Envoy may read in two ways', { path: '/a/../b' }, /the path is not plain/],
    ['for a service that nothing knows', { source: 'apj' }, /has a service apj; correct/],
    ['to a service that nothing knows', { destination: 'bill' }, /has a service bill; correct/],
    ['to a service that no grant may have', { destination: 'vault' }, /never lists vault/],
    ['for a longer time', { forMs: 4 * HOUR + 1 }, /longest is 240 minutes/],
  ] as const)('%s', async (_, request, why) => {
    const { ask, decisions, world } = start(1);
    expect(await ask(request)).toMatchObject({ kind: 'refused', why: expect.stringMatching(why) });
    expect([decisions, world.breakGlass.all]).toEqual([[], []]);
    expect(await ask({ forMs: 4 * HOUR })).toMatchObject({ kind: 'done' });
  });

  it('where Consul allows the edge already, or was not read yet', async () => {
    const { deps, ask, world } = start(1);
    world.putEntries([entry('billing', ourSource('api', ALLOW))], NOW);
    expect(await ask()).toMatchObject({ kind: 'refused' });
    const fresh = new WorldState(world.mapping, SETTINGS);
    for (const read of [
      () => {},
      () => fresh.putEntries([], NOW),
      () => fresh.putCatalog({ services: [], protocols: new Map(), defaultProtocol: 'http' }, NOW),
    ]) {
      read();
      const why = fresh.catalog === undefined ? /has not read Consul completely yet/ : /has a service api/;
      const asked = await requestBreakGlass(REQUEST, ANA, { ...deps, world: fresh });
      expect(asked).toMatchObject({ kind: 'refused', why: expect.stringMatching(why) });
    }
  });

  it.each([{ services: ['orders'] }, { namespaces: ['team'] }])('outside select: %j', async (select) => {
    const { ask, world } = start(1);
    world.setMapping({ ...world.mapping, select: createSelection(select) });
    expect(await ask()).toMatchObject({ kind: 'refused', why: expect.stringContaining('is outside select') });
  });

  it('beside a hundred others, of which ended ones do not count', async () => {
    const many = Array.from({ length: 100 }, (_, at) => ({
      ...GRANT,
      id: `01JDXK4T0QJ5W3M8V7Z2R6M${String(at).padStart(3, '0')}`,
    }));
    const [last, ...others] = many;
    if (last === undefined) throw new Error('there is none');
    for (const [state, kind] of [
      [{}, 'refused'],
      [{ endedAt: NOW }, 'done'],
    ] as const) {
      const { ask, store } = start();
      await store(...others, { ...last, ...state });
      expect(await ask()).toMatchObject(
        kind === 'done'
          ? { kind }
          : { kind, why: expect.stringContaining('there are 100 break-glass grants') },
      );
    }
    // The one that is approved is among them.
    const { store, approve } = start();
    await store(...many);
    expect(await approve(BOB, last.id)).toMatchObject({ kind: 'done' });
  });
});

it('follows the store, where another process may have changed it, and plans the destination of what changed again', async () => {
  const { deps, store, world, added, opened } = start();
  const open = { ...GRANT, openedAt: NOW, remindedAt: NOW, approvedBy: BOB };
  world.breakGlass.set([GRANT]);
  await store(open);
  await follow(GRANTS, 'resync', deps);
  expect(world.breakGlass.all).toEqual([open]);
  expect(added).toEqual([REPLAN('resync')]);
  expect(opened()).toEqual([true]);
  await follow(GRANTS, 'resync', deps);
  expect(added).toHaveLength(1);
  const other = { ...open, id: ID.replace('1', '2') };
  await store(other);
  await follow(GRANTS, 'command', deps);
  expect(world.breakGlass.all).toEqual([open, other]);
  expect(added.slice(1)).toEqual([REPLAN('command')]);
  // A record that the store lost opens nothing more.
  await deps.journal.settle('ruling/pay', [], {
    lastApplied: new Map([open, other].map(({ id }) => [`break-glass/${id}`, null])),
  });
  await follow(GRANTS, 'resync', deps);
  expect([world.breakGlass.all, opened()]).toEqual([[], []]);
});

it.each([
  { openedAt: NOW + 61_000, remindedAt: NOW },
  { remindedAt: NOW + 61_000 },
  { askedAt: NOW + 61_000 },
])('is closed from a start on whose clock is behind it, and is recorded as ended: %j', async (change) => {
  const { deps, store, world, decisions, opened, added } = start();
  await store({ ...GRANT, ...change, approvedBy: BOB }, { ...GRANT, id: ID.replace('1', '2'), endedAt: NOW });
  await restoreRulings(GRANTS, deps);
  expect(opened()).toEqual([]);
  await followBreakGlass(Number.NEGATIVE_INFINITY, deps);
  expect(world.breakGlass.all.filter(({ id }) => id === ID)).toMatchObject([{ endedAt: NOW }]);
  expect(opened()).toEqual([]);
  expect(decisions).toMatchObject([
    {
      reason: 'BreakGlassEnded',
      cause: { kind: 'resync', receivedAt: instant(NOW) },
      detail: 'it was made in the future of this clock, so it is unknown how long it was open: INC-1',
    },
  ]);
  expect(added).toEqual([REPLAN('resync'), REPLAN('resync')]);
});

it('goes on at a start whose clock differs by a minute at most', async () => {
  const { deps, store, opened } = start();
  const at = NOW + 60_000;
  await store({ ...GRANT, askedAt: at, openedAt: at, remindedAt: at, approvedBy: BOB });
  await restoreRulings(GRANTS, deps);
  expect(opened()).toEqual([true]);
});
