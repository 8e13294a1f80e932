import { describe, expect, it } from 'vitest';
import type { BreakGlassRecords } from '../../src/consul/consul.js';
import { SyncError } from '../../src/errors.js';
import type { BreakGlass } from '../../src/model/break-glass.js';
import { BreakGlassFollower, isClosed } from '../../src/operator/follow-break-glass.js';
import { parseStoredText, toStoredText } from '../../src/operator/stored-break-glass.js';
import { WorldState } from '../../src/state/world-state.js';
import { notes } from '../lease/lease-rig.js';
import { ALLOW, entry, mapping, NOW, ourSource, rule, SETTINGS, source } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const [HOUR, DAY, SIGNAL] = [3_600_000, 86_400_000, new AbortController().signal];
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
type Writes = Parameters<BreakGlassRecords['write']>[0];
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
  const written: Writes[number][] = [];
  /** Consul's KV. */
  const kv = {
    texts: new Map<string, string>(),
    listed: 0,
    list: async () => {
      kv.listed++;
      return new Map(kv.texts);
    },
    answer: (_: string): { kind: 'written' } | { kind: 'refused'; detail: string } | undefined => ({
      kind: 'written',
    }),
    async write(writes: Writes) {
      written.push(...writes);
      for (const { id, text } of writes)
        if (kv.answer(id)?.kind !== 'written') continue;
        else if (text === undefined) kv.texts.delete(id);
        else kv.texts.set(id, text);
      return writes.flatMap(({ id }) => kv.answer(id) ?? []);
    },
  };
  const deps = {
    ...all.deps,
    clock: { now: () => now, sleep: async () => {} },
    consul: { ...all.deps.consul, breakGlass: kv },
    logger,
    metrics: {
      count: (name: string) => void metered.set(name, (metered.get(name) ?? 0) + 1),
      gauge: (name: string, value: number) => void metered.set(name, value),
      time() {},
    },
  };
  await deps.journal.settle('break-glass/pay', [], {
    lastApplied: new Map(grants.map((each) => [`break-glass/${each.id}`, toStoredText(each)])),
  });
  const follower = new BreakGlassFollower(deps);
  const messages = () => logged.map(({ message }) => message);
  return {
    ...{ ...all, deps, world, kv, logged, messages, metered, written },
    at: (ms: number) => {
      now = NOW + ms;
    },
    follow: () => follower.follow(),
    record: () => follower.record(SIGNAL),
    stored: async () => [...(await deps.journal.read('break-glass/pay')).lastApplied.keys()],
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

describe('the records in Consul', () => {
  it('are written once, of what is open or was, and of nothing that waits for its second person', async () => {
    const { openedAt: _, remindedAt: __, ...asked } = OPEN;
    const { follow, record, written, kv, at } = await start(OPEN, { ...asked, id: OTHER });
    await follow();
    expect(await record()).toBe(1_000);
    expect(written.map(({ id, text }) => [id, parseStoredText(text ?? '')])).toEqual([[ID, OPEN]]);
    at(59_999);
    await record();
    expect([written.length, kv.listed]).toEqual([1, 1]);
    // Somebody else deleted it.
    kv.texts.clear();
    at(60_000);
    await record();
    expect([written.length, kv.listed]).toEqual([2, 2]);
  });

  it('go before the grant is forgotten, a minute after its end, and only once its edge is closed', async () => {
    const { follow, record, written, kv, at, world, stored } = await start({ ...OPEN, endedAt: NOW });
    world.putEntries([entry('billing', ourSource('api', ALLOW))], NOW);
    await follow();
    for (const ms of [0, 60_000]) {
      at(ms);
      await record();
    }
    expect([written.length, [...kv.texts.keys()], await stored()]).toEqual([1, [ID], [`break-glass/${ID}`]]);
    world.putEntries([], NOW);
    at(61_000);
    kv.answer = () => ({ kind: 'refused', detail: 'no permission' });
    expect(await record()).toBe(10_000);
    expect(world.breakGlass.all).toHaveLength(1);
    kv.answer = () => ({ kind: 'written' });
    await record();
    expect(written.slice(1)).toEqual([
      { id: ID, text: undefined },
      { id: ID, text: undefined },
    ]);
    expect([kv.texts.size, await stored(), world.breakGlass.all]).toEqual([0, [], []]);
  });

  it('that Consul refuses are counted, logged once, and written later', async () => {
    const { follow, record, kv, metered, logged, at } = await start(OPEN, { ...OPEN, id: OTHER });
    await follow();
    kv.answer = (id) => (id === ID ? { kind: 'refused', detail: 'no permission' } : undefined);
    for (let round = 0; round < 2; round++) expect(await record()).toBe(10_000);
    const message = 'a break-glass grant could not be recorded in Consul; the store has it';
    expect(logged).toEqual([
      { id: ID, error: 'no permission', message },
      { id: OTHER, error: 'no answer', message },
    ]);
    expect(metered.get('scopemesh_break_glass_unrecorded')).toBe(2);
    kv.answer = () => ({ kind: 'written' });
    at(1_000);
    expect(await record()).toBe(1_000);
    expect([metered.get('scopemesh_break_glass_unrecorded'), kv.texts.size]).toEqual([0, 2]);
  });

  it('that the token may not read leave the store alone to count; another fault is tried again', async () => {
    const { follow, record, kv, messages, world } = await start(OPEN);
    await follow();
    kv.list = () => Promise.reject(new SyncError('ERR_CONSUL_UNREACHABLE', 'away', { retriable: true }));
    await expect(record()).rejects.toThrow('away');
    kv.list = () => Promise.reject(new SyncError('ERR_CONSUL_DENIED', 'not allowed', { retriable: false }));
    await record();
    expect(messages()).toEqual([
      'the ACL token may not read the break-glass grants in Consul, so only the store of scopemesh knows them',
    ]);
    expect([kv.texts.size, world.breakGlass.all.length]).toEqual([1, 1]);
  });

  it('are neither read nor written in a mode that writes nothing', async () => {
    const { follow, record, kv, written, world } = await start(OPEN);
    await follow();
    world.setMapping({ ...world.mapping, mode: 'observe' });
    expect(await record()).toBe(1_000);
    expect([kv.listed, written]).toEqual([0, []]);
  });

  it('of a lost store close what they opened and open nothing, whatever instants they name', async () => {
    const { follow, record, kv, decisions, added, world, logged } = await start();
    const late = { ...OPEN, id: OTHER, askedAt: NOW + HOUR, openedAt: NOW + HOUR, endedAt: NOW + HOUR };
    const { openedAt: _, ...asked } = { ...OPEN, id: ID.replace('1', '3') };
    for (const each of [OPEN, late, asked]) kv.texts.set(each.id, toStoredText(each));
    await follow();
    await record();
    const { remindedAt: ___, ...rest } = OPEN;
    expect(world.breakGlass.all).toEqual([
      { ...rest, remindedAt: NOW, isAdopted: true },
      { ...rest, id: OTHER, endedAt: NOW, remindedAt: NOW, isAdopted: true },
    ]);
    expect(decisions).toMatchObject(
      [ID, OTHER].map((id) => ({
        ...{ type: 'dev.scopemesh.break-glass.created', id, outcome: 'observed', reason: 'BreakGlass' },
        cause: { kind: 'resync', receivedAt: instant(NOW) },
        detail: 'found in Consul and not in the store, so it keeps what is open and opens nothing: INC-1',
      })),
    );
    expect(added).toHaveLength(2);
    expect(logged).toContainEqual({
      id: asked.id,
      message: 'a record of a break-glass grant in Consul is not one of scopemesh and is ignored',
    });
  });
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

it('takes no path from a record that Envoy may read in two ways', () => {
  expect(parseStoredText(toStoredText({ ...OPEN, path: '/a' }))).toEqual({ ...OPEN, path: '/a' });
  expect(parseStoredText(toStoredText({ ...OPEN, path: '/a/../b' }))).toBeUndefined();
});

it('is forgotten alone', async () => {
  const { record, follow, at, world } = await start({ ...OPEN, endedAt: NOW }, { ...OPEN, id: OTHER });
  world.putEntries([], NOW);
  await follow();
  at(60_000);
  await record();
  expect(world.breakGlass.all.map(({ id }) => id)).toEqual([OTHER]);
});
