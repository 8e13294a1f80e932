import { describe, expect, it } from 'vitest';
import type { BreakGlass } from '../../src/model/break-glass.js';
import { followBreakGlass, isClosed } from '../../src/operator/follow-break-glass.js';
import { parseStoredText } from '../../src/operator/stored-break-glass.js';
import { breakGlassAccess, toBreakGlassText } from '../../src/plan/break-glass.js';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import { WorldState } from '../../src/state/world-state.js';
import { notes } from '../lease/lease-rig.js';
import { ALLOW, entry, mapping, NOW, ourSource, rule, SETTINGS, source } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const [HOUR, DAY] = [3_600_000, 86_400_000];
const ID = '01JDXK4T0QJ5W3M8V7Z2R6N001';
const OTHER = ID.replace('1', '2');
const OPEN: BreakGlass = {
  ...{
    id: ID,
    source: 'api',
    destination: 'billing',
    reason: 'INC-1',
    partition: 'default',
    namespace: 'default',
  },
  ...{ forMs: 40 * HOUR, duringFreeze: false, askedAt: NOW, askedBy: { id: 'os:ada' } },
  ...{ openedAt: NOW, remindedAt: NOW },
};
const instant = (at: number) => new Date(at).toISOString();

async function start(...grants: readonly BreakGlass[]) {
  const world = worldWithTwo();
  world.setMapping(
    mapping({ rules: [rule('billing', 'billing')], breakGlass: { longestMs: 48 * HOUR, never: [] } }),
  );
  const all = depsOf(world, {});
  let now = NOW;
  const { logger, logged } = notes();
  const metered = new Map<string, number>();
  const deps = {
    ...all.deps,
    clock: { now: () => now, sleep: async () => {} },
    logger,
    metrics: {
      count: (name: string) => void metered.set(name, (metered.get(name) ?? 0) + 1),
      gauge: (name: string, value: number) => void metered.set(name, value),
      time() {},
    },
  };
  await deps.journal.settle('ruling/pay', [], {
    lastApplied: new Map(grants.map((each) => [`break-glass/${each.id}`, JSON.stringify(each)])),
  });
  let since = Number.NEGATIVE_INFINITY;
  const follow = async () => {
    const followed = await followBreakGlass(since, deps);
    since = followed.now;
    return followed.nextMs;
  };
  return {
    ...{ ...all, deps, world, logged, metered, follow },
    at: (ms: number) => {
      now = NOW + ms;
    },
    stored: async () => [...(await deps.journal.read('ruling/pay')).lastApplied.keys()],
  };
}

describe('an open grant', () => {
  it('has a reminder each day, with a decision that says who opened it and until when', async () => {
    const { follow, at, decisions, metered, world } = await start({
      ...OPEN,
      approvedBy: { id: 'token:bob' },
    });
    at(DAY - 1);
    expect(await follow()).toBe(16 * HOUR + 1);
    expect([decisions, metered.get('scopemesh_break_glass_open')]).toEqual([[], 1]);
    at(DAY);
    await follow();
    expect(decisions).toMatchObject([
      {
        type: 'dev.scopemesh.break-glass.updated',
        ...{ outcome: 'observed', reason: 'BreakGlassReminder' },
        cause: { kind: 'resync', receivedAt: instant(NOW + DAY) },
        detail: `break-glass grant ${ID} until ${instant(NOW + 40 * HOUR)} (os:ada asked, token:bob approved): INC-1`,
      },
    ]);
    await follow();
    expect(decisions).toHaveLength(1);
    expect(metered.get('scopemesh_break_glass_reminders_total')).toBe(1);
    expect(world.breakGlass.all).toMatchObject([{ openedAt: NOW, remindedAt: NOW + DAY }]);
  });

  it('is planned to be closed before its end is stored, and says why it ended', async () => {
    for (const [end, why] of [
      ['time', 'its time is over: INC-1'],
      ['switch', 'guards.breakGlass is off: INC-1'],
      ['request', 'no second person approved it in time: INC-1'],
    ] as const) {
      const { openedAt: _, remindedAt: __, ...asked } = OPEN;
      const { deps, follow, at, added, decisions, world } = await start(end === 'request' ? asked : OPEN);
      await follow();
      added.length = 0;
      at(end === 'time' ? 40 * HOUR : 2 * HOUR);
      if (end === 'switch') world.setMapping(mapping({ rules: [rule('billing', 'billing')] }));
      const { settle } = deps.journal;
      deps.journal.settle = () => Promise.reject(new Error('the store is full'));
      await expect(follow()).rejects.toThrow('the store is full');
      expect(added).toMatchObject([{ key: { service: 'billing' }, cause: { kind: 'resync' }, urgent: true }]);
      deps.journal.settle = settle;
      expect(await follow()).toBe(Number.POSITIVE_INFINITY);
      expect(decisions.map(({ reason, detail }) => [reason, detail])).toEqual([['BreakGlassEnded', why]]);
    }
  });

  it('is counted as unclosed a minute after its end, while its edge is open, with one warning', async () => {
    const ended = { ...OPEN, endedAt: NOW };
    const { follow, at, world, metered, logged } = await start(ended, {
      ...ended,
      id: OTHER,
      destination: 'orders',
    });
    world.putEntries(
      [{ ...entry('billing', ourSource('api', ALLOW)), meta: { 'external-source': 'x' } }],
      NOW,
    );
    const unclosed = () => metered.get('scopemesh_break_glass_unclosed');
    at(59_999);
    await follow();
    expect([unclosed(), logged]).toEqual([0, []]);
    for (const ms of [60_000, 61_000]) {
      at(ms);
      await follow();
      expect(unclosed()).toBe(1);
    }
    expect(logged).toEqual([
      {
        ...{ id: ID, source: 'api', destination: 'billing' },
        message:
          'a break-glass grant ended, but its edge is still open; scopemesh explain says what holds it',
      },
    ]);
  });
});

it('is forgotten a minute after its end, and only once its edge is closed, and nobody is reminded of it', async () => {
  const { follow, at, world, stored, decisions } = await start({ ...OPEN, endedAt: NOW });
  world.putEntries([entry('billing', ourSource('api', ALLOW))], NOW);
  for (const ms of [0, 60_000, 2 * DAY]) {
    at(ms);
    await follow();
  }
  expect([await stored(), decisions]).toEqual([[`break-glass/${ID}`], []]);
  world.putEntries([], NOW);
  await follow();
  expect([await stored(), world.breakGlass.all]).toEqual([[], []]);
});

it('counts as closed only by what Consul was seen to have', async () => {
  const deny = { kind: 'deny' } as const;
  const other = { kind: 'other' } as const;
  for (const [found, closed] of [
    [undefined, false],
    [[], true],
    [[ourSource('api', ALLOW)], false],
    [[ourSource('api', deny)], true],
    // What scopemesh cannot read may be open.
    [[ourSource('api', other)], false],
    // Others, and another source of ours.
    [[source('api', ALLOW)], true],
    [[{ ...ourSource('api', ALLOW), peer: 'dc2' }, ourSource('web', ALLOW)], true],
    [[source('web', ALLOW), ourSource('api', ALLOW)], false],
  ] as const) {
    const world = found === undefined ? new WorldState(mapping(), SETTINGS) : worldWithTwo();
    if (found !== undefined) world.putEntries([{ ...entry('billing', ...found), modifyIndex: 8 }], NOW);
    expect(
      isClosed(OPEN, { world, clock: { now: () => NOW, sleep: async () => {} } }),
      JSON.stringify(found),
    ).toBe(closed);
  }
});

it('counts as closed where the edge has other access than it gave, or a record that does not name it', async () => {
  const world = worldWithTwo();
  const clock = { now: () => NOW, sleep: async () => {} };
  const grant = { ...OPEN, path: '/a' };
  let index = 7;
  const http = (path: string) => {
    const access = breakGlassAccess({ path });
    world.putEntries([{ ...entry('billing', ourSource('api', access ?? ALLOW)), modifyIndex: ++index }], NOW);
    return isClosed(grant, { world, clock });
  };
  expect([http('/a'), http('/b')]).toEqual([false, true]);
  const subject = 'intention/default/default/billing/api';
  for (const [id, closed] of [
    [ID, false],
    [OTHER, true],
  ] as const) {
    const text = toLastAppliedText(ALLOW, [toBreakGlassText(id)]);
    world.rememberWritten('destination/default/default/billing', new Map([[subject, text]]));
    expect(http('/a')).toBe(closed);
  }
});

it('takes no path from a record that Envoy may read in two ways', () => {
  expect(parseStoredText(JSON.stringify({ ...OPEN, path: '/a' }))).toEqual({ ...OPEN, path: '/a' });
  expect(parseStoredText(JSON.stringify({ ...OPEN, path: '/a/../b' }))).toBeUndefined();
});

it('is forgotten alone', async () => {
  const { follow, at, world } = await start({ ...OPEN, endedAt: NOW }, { ...OPEN, id: OTHER });
  world.putEntries([], NOW);
  await follow();
  at(60_000);
  await follow();
  expect(world.breakGlass.all.map(({ id }) => id)).toEqual([OTHER]);
});
