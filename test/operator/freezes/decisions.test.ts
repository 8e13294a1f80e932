import { expect, it } from 'vitest';
import {
  endFreeze,
  FREEZES,
  followFreezes,
  NO_FREEZE,
  readFreeze,
  startFreeze,
  toFreezeView,
} from '../../../src/operator/freezes.js';
import { restoreRulings } from '../../../src/operator/ruling-store.js';
import { notes } from '../../lease/lease-rig.js';
import { NOW } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';

const [HOUR, ALICE] = [3_600_000, { id: 'os:alice' }];
const instant = (at: number) => new Date(at).toISOString();
const ORDERS = 'destination/default/default/orders';
/** From an hour after `NOW` on, for an hour. */
const SCHEDULE = {
  schedule: `0 ${new Date(NOW + HOUR).getUTCHours()} * * *`,
  durationMs: HOUR,
  timeZone: 'UTC',
};
const SCHEDULED = { kind: 'scheduled', since: NOW + HOUR, until: NOW + 2 * HOUR } as const;

async function start() {
  const world = worldWithTwo();
  const all = depsOf(world, {});
  let now = NOW;
  let sweeps = 0;
  const { logger, logged } = notes();
  const deps = {
    ...all.deps,
    clock: { now: () => now, sleep: async () => {} },
    logger,
    askForSweep: () => void sweeps++,
  };
  const hold = {
    subject: 'intention/x',
    reason: 'Frozen',
    decisionId: 'h',
    since: instant(NOW),
    fingerprint: '',
  };
  await deps.journal.settle(ORDERS, [], {
    holds: new Map([['intention/x Frozen', { ...hold, reason: 'Frozen' }]]),
  });
  return {
    ...{ ...all, deps, world, logged },
    at: (ms: number) => {
      now = NOW + ms;
    },
    sweeps: () => sweeps,
    follow: () => followFreezes(deps),
    begin: (forMs?: number, reason?: string) => startFreeze({ reason, forMs }, ALICE, deps),
    end: (reason?: string) => endFreeze(reason, ALICE, deps),
  };
}

const thawed = (kind: 'command' | 'resync', at: number) => [
  {
    key: { kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' },
    cause: { kind, receivedAt: instant(at) },
  },
];

it('of a person has a decision when it begins and when it ends, and lets go what it held', async () => {
  const { begin, end, at, decisions, added, sweeps, world, logged } = await start();
  const freeze = { kind: 'started', since: NOW, until: NOW + HOUR, reason: 'release 42', by: ALICE };
  expect(await begin(HOUR, 'release 42')).toEqual(freeze);
  expect(world.freezes.at(NOW)).toEqual(freeze);
  expect([added, sweeps()]).toEqual([[], 0]);
  at(60_000);
  expect(await end('done')).toEqual({ kind: 'done', ruling: undefined });
  expect(world.freezes.at(NOW)).toBeUndefined();
  expect([added, sweeps()]).toMatchObject([thawed('command', NOW + 60_000), 1]);
  expect(await end()).toEqual({ kind: 'refused', why: NO_FREEZE });
  const view = {
    ...{ kind: 'started', since: instant(NOW), until: instant(NOW + HOUR) },
    ...{ reason: 'release 42', by: 'os:alice' },
  };
  const common = {
    ...{
      type: 'dev.scopemesh.config.updated',
      subject: 'freeze/pay',
      resource: { kind: 'config', name: 'pay' },
    },
    ...{ outcome: 'applied', principal: ALICE },
  };
  expect(decisions).toMatchObject([
    { ...common, reason: 'FreezeStarted', detail: 'release 42', before: null, after: view },
    { ...common, reason: 'FreezeEnded', detail: 'done', before: view, after: null },
  ]);
  expect(logged).toEqual([
    {
      ...{ kind: 'started', until: instant(NOW + HOUR), by: 'os:alice', reason: 'release 42' },
      message: 'a freeze began: only revocations pass until it ends',
    },
    {
      ...{ kind: 'started', until: undefined, by: 'os:alice', reason: 'done' },
      message: 'a freeze ended; what it held is planned now',
    },
  ]);
});

it('of a person without a reason or an end lasts until a person ends it', async () => {
  const { begin, end, follow, at, decisions, world } = await start();
  const freeze = await begin();
  expect(freeze).toEqual({ kind: 'started', since: NOW, by: ALICE });
  expect(toFreezeView(freeze)).toEqual({
    ...{ kind: 'started', since: instant(NOW), until: null, reason: null, by: 'os:alice' },
  });
  at(1_000 * 24 * HOUR);
  await follow();
  expect(world.freezes.at(NOW + 1_000 * 24 * HOUR)).toEqual(freeze);
  await end();
  expect(decisions.map((each) => [each.reason, 'detail' in each])).toEqual([
    ['FreezeStarted', false],
    ['FreezeEnded', false],
  ]);
});

it('takes the place of one before, and is in effect in the next process and in one that does not lead', async () => {
  const { deps, begin, decisions, at } = await start();
  await begin(HOUR, 'first');
  const second = await begin(2 * HOUR, 'second');
  expect(decisions.at(-1)).toMatchObject({ before: { reason: 'first' }, after: { reason: 'second' } });
  const next = worldWithTwo();
  expect(await readFreeze({ ...deps, world: next })).toEqual(second);
  expect(next.freezes.at(NOW)).toBeUndefined();
  await restoreRulings(FREEZES, { ...deps, world: next });
  expect(next.freezes.at(NOW)).toEqual(second);
  at(2 * HOUR);
  expect(await readFreeze(deps)).toBeUndefined();
});

it('ends by the clock with one decision, after what it held is planned', async () => {
  const { begin, follow, at, decisions, added, sweeps, deps } = await start();
  await begin(HOUR);
  at(HOUR - 1);
  await follow();
  expect([decisions.length, added]).toEqual([1, []]);
  at(HOUR);
  const { settle } = deps.journal;
  deps.journal.settle = () => Promise.reject(new Error('the store is full'));
  await expect(follow()).rejects.toThrow('the store is full');
  expect(added).toMatchObject(thawed('resync', NOW + HOUR));
  deps.journal.settle = settle;
  for (let call = 0; call < 2; call++) await follow();
  expect(decisions.slice(1)).toMatchObject([
    { reason: 'FreezeEnded', cause: { kind: 'resync', receivedAt: instant(NOW + HOUR) }, after: null },
  ]);
  expect([added.length, sweeps()]).toEqual([2, 2]);
});

it('of the schedule begins and ends by the clock, each with one decision, over a restart too', async () => {
  const { deps, follow, at, decisions, added, world, end } = await start();
  world.setMapping({ ...world.mapping, freezes: [SCHEDULE] });
  await follow();
  expect(decisions).toEqual([]);
  at(HOUR);
  for (let call = 0; call < 2; call++) await follow();
  expect(decisions).toMatchObject([
    {
      ...{ subject: 'freeze/pay/schedule', reason: 'FreezeStarted', before: null },
      after: { kind: 'scheduled', since: instant(NOW + HOUR), until: instant(NOW + 2 * HOUR), by: null },
    },
  ]);
  expect(await end()).toEqual({
    kind: 'refused',
    why: expect.stringContaining('one of guards.freeze'),
  });
  expect(await readFreeze(deps)).toEqual(SCHEDULED);
  expect(added).toEqual([]);
  const next = worldWithTwo();
  next.setMapping(world.mapping);
  at(2 * HOUR);
  for (let call = 0; call < 2; call++) await followFreezes({ ...deps, world: next });
  expect(decisions.slice(1)).toMatchObject([{ reason: 'FreezeEnded', before: { kind: 'scheduled' } }]);
  expect(added).toMatchObject(thawed('resync', NOW + 2 * HOUR));
});

it('that a person ends lets nothing go while one of the schedule goes on', async () => {
  const { begin, end, follow, at, added, world } = await start();
  world.setMapping({ ...world.mapping, freezes: [SCHEDULE] });
  at(HOUR);
  await follow();
  await begin(HOUR / 2);
  expect(await end()).toEqual({ kind: 'done', ruling: SCHEDULED });
  expect(added).toEqual([]);
  await begin(HOUR / 2);
  at(1.5 * HOUR);
  await follow();
  expect([added, world.freezes.startedAt(0)]).toEqual([[], undefined]);
});
