import { expect, it } from 'vitest';
import { localPerson } from '../../../src/model/cause.js';

import { LONGEST_DENY_MS, type RuledEdge } from '../../../src/model/ruling.js';
import { endDeny, followDenies, startDeny } from '../../../src/operator/denies.js';
import { planDestination } from '../../../src/plan/plan-destination.js';
import { createSelection } from '../../../src/plan/selection.js';
import { inputOf } from '../../../src/state/fleet.js';
import { notes } from '../../lease/lease-rig.js';
import { ALLOW, entry, NOW, named, ourSource, source } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';

const HOUR = 3_600_000;
const [ANA, BOB] = [localPerson('ana'), { id: 'token:bob' }];
const PLACE = { partition: 'default', namespace: 'default' };
const WEB: RuledEdge = { source: 'web', destination: 'orders', ...PLACE };
const instant = (at: number) => new Date(at).toISOString();

function start() {
  const world = worldWithTwo();
  const all = depsOf(world, {});
  let now = NOW;
  let modifyIndex = 100;
  const { logger, logged } = notes();
  const gauges: number[] = [];
  const metrics = { ...all.deps.metrics, gauge: (_: string, value: number) => void gauges.push(value) };
  const deps = { ...all.deps, clock: { now: () => now, sleep: async () => {} }, logger, metrics };
  return {
    ...{ ...all, deps, world, logged, gauges },
    at: (ms: number) => {
      now = NOW + ms;
    },
    put: (found: ReturnType<typeof entry>) =>
      world.putEntries([{ ...found, modifyIndex: ++modifyIndex }], NOW),
    deny: (about = WEB, forMs = HOUR) => startDeny(about, { reason: 'INC-1', forMs }, ANA, deps),
    end: (about = WEB) => endDeny(about, 'solved', BOB, deps),
    follow: () => followDenies(deps),
    closes: () => planDestination(inputOf(world, named('orders'), now)).changes.map(({ reason }) => reason),
    stored: async () => [...(await deps.journal.read('ruling/pay')).lastApplied.keys()],
  };
}

const REPLAN = (kind: 'command' | 'resync', at = NOW) => ({
  key: { kind: 'destination', ...PLACE, service: 'orders' },
  cause: { kind, receivedAt: instant(at) },
  ...{ urgent: true, loses: true },
});

it('has a decision and a line for its begin and its early end, and is planned once for each', async () => {
  const { deny, end, at, added, decisions, logged, stored } = start();
  await deny();
  at(60_000);
  expect(await end()).toMatchObject({ kind: 'done', ruling: { endedAt: NOW + 60_000, by: ANA } });
  const text = decisions[0]?.detail;
  expect(text).toMatch(/local \(ana\).*INC-1/);
  const common = {
    ...{ subject: 'intention/default/default/orders/web', outcome: 'observed', action: 'none' },
    resource: { kind: 'intention', source: 'web', destination: 'orders', ...PLACE },
  };
  expect(decisions).toMatchObject([
    {
      ...{ ...common, type: 'dev.scopemesh.intention.held', reason: 'PersonDenied' },
      cause: { kind: 'command', receivedAt: instant(NOW), principal: ANA },
    },
    {
      ...{ ...common, type: 'dev.scopemesh.intention.released', reason: 'DenyEnded', principal: BOB },
      detail: expect.stringMatching(/; ended: solved$/),
    },
  ]);
  expect(logged).toMatchObject([
    { source: 'web', destination: 'orders', detail: text, message: 'a person denies an edge' },
    { reason: 'DenyEnded', message: 'the deny of an edge ended' },
  ]);
  expect(added).toEqual([REPLAN('command'), REPLAN('command', NOW + 60_000)]);
  expect(await stored()).toEqual(['deny/intention/default/default/orders/web']);
});

it('ends by its clock alone, beside others, and says so as no person', async () => {
  const { deny, end, follow, at, world, added, decisions, gauges, stored } = start();
  await deny();
  await deny({ ...WEB, source: 'api' }, 2 * HOUR);
  await follow();
  expect(gauges).toEqual([2]);
  await end({ ...WEB, source: 'api' });
  await follow();
  expect(gauges).toEqual([2, 1]);
  added.length = 0;
  at(HOUR);
  await follow();
  expect(world.denies.all.map(({ about }) => about.source)).toEqual(['api']);
  expect(await stored()).toEqual(['deny/intention/default/default/orders/api']);
  expect(added).toEqual([REPLAN('resync', NOW + HOUR), REPLAN('resync', NOW + HOUR)]);
  expect(decisions.at(-1)).toMatchObject({
    ...{ reason: 'DenyEnded', type: 'dev.scopemesh.intention.released' },
    cause: { kind: 'resync', receivedAt: instant(NOW + HOUR) },
  });
  expect(decisions.at(-1)).not.toHaveProperty('principal');
  expect(decisions.at(-1)?.detail).not.toContain('ended:');
  at(2 * HOUR);
  await follow();
  expect([world.denies.all, await stored(), decisions.length]).toEqual([[], [], 4]);
});

it('is forgotten alone once its time is over, after its early end too', async () => {
  const { deny, end, follow, at, world, closes, stored } = start();
  await deny();
  await end();
  await deny({ ...WEB, source: 'api' }, 2 * HOUR);
  at(HOUR);
  await follow();
  expect(world.denies.all.map(({ about }) => about.source)).toEqual(['api']);
  expect([closes(), (await stored()).length]).toEqual([['PersonDenied'], 1]);
});

it('closes one edge alone, and its end opens one alone', async () => {
  const { deny, end, closes, world } = start();
  await deny();
  await deny({ ...WEB, source: 'api' });
  expect(closes()).toEqual(['PersonDenied', 'PersonDenied']);
  expect(await end({ ...WEB, destination: 'billing' })).toMatchObject({
    ...{ kind: 'unknown', why: 'no deny of this edge is in effect' },
  });
  await end();
  expect(closes()).toEqual(['PersonDenied']);
  // One that has ended does not prolong the next.
  await deny(WEB, 1_000);
  expect(world.denies.all.find(({ about }) => about.source === 'web')).toMatchObject({ until: NOW + 1_000 });
});

it('is refused where somebody else made the edge, with who, and where another one is denied beside it', async () => {
  const { deny, put, closes } = start();
  await deny({ ...WEB, source: 'api' });
  put(entry('orders', source('web', ALLOW), ourSource('api', ALLOW)));
  expect(await deny()).toMatchObject({ kind: 'refused', why: expect.stringMatching(/^ForeignSource: /) });
  put(entry('orders', ourSource('web', ALLOW), source('api', ALLOW)));
  expect(await deny()).toMatchObject({ kind: 'done' });
  expect(closes()).toEqual(['PersonDenied']);
});

it.each([{ services: ['billing'] }, { namespaces: ['team'] }])(
  'is refused outside select: %j',
  async (select) => {
    const { deny, world, decisions } = start();
    world.setMapping({ ...world.mapping, select: createSelection(select) });
    expect(await deny()).toEqual({
      kind: 'refused',
      why: 'the source or the destination is outside select; ask the instance that manages it',
    });
    expect(decisions).toEqual([]);
  },
);

it('is refused for a name that Consul does not know, and not for one that only an intention has', async () => {
  const { deny, put } = start();
  for (const [about, name] of [
    [{ ...WEB, source: 'wbe' }, 'wbe'],
    [{ ...WEB, destination: 'odrers' }, 'odrers'],
  ] as const)
    expect(await deny(about)).toEqual({
      ...{ kind: 'unknown', why: `Consul has no service and no intention of the name ${name}` },
    });
  put(entry('orders', ourSource('web', ALLOW), ourSource('old', ALLOW)));
  expect(await deny({ ...WEB, source: 'old' })).toMatchObject({ kind: 'done' });
});

it('is one of a hundred at most, without those that have ended, and can always be prolonged', async () => {
  const { deny, put, world, deps } = start();
  const names = Array.from({ length: 101 }, (_, at) => `s${at}`);
  put(entry('orders', ...names.map((name) => ourSource(name, ALLOW))));
  const all = names.slice(0, 100).map((name) => ({
    ...{ about: { ...WEB, source: name }, reason: 'INC-1', by: ANA, since: NOW, until: NOW + HOUR },
  }));
  const store = async (endedAt?: number) => {
    const texts = all.map((each, at) => ({
      ...each,
      ...(at === 0 && endedAt !== undefined ? { endedAt } : {}),
    }));
    const lastApplied = new Map(
      texts.map((each) => [
        `deny/intention/default/default/orders/${each.about.source}`,
        JSON.stringify(each),
      ]),
    );
    await deps.journal.settle('ruling/pay', [], { lastApplied });
    world.denies.set(texts);
  };
  await store();
  const another = () => deny({ ...WEB, source: 's100' });
  expect(await deny({ ...WEB, source: 's5' })).toMatchObject({ kind: 'done' });
  expect(await another()).toMatchObject({
    kind: 'refused',
    why: expect.stringMatching(/there are 100 denies/),
  });
  await store(NOW);
  expect(await another()).toMatchObject({ kind: 'done' });
});

it('that only its mark knows is the one of its edge, of this owner, and no longer than a deny may be', async () => {
  const { end, put } = start();
  const marked = (name: string, owner: string, until: number) =>
    source(name, { kind: 'deny' }, `scopemesh:${owner} deny=${instant(until)} client=main/web`);
  for (const found of [
    marked('web', 'other', NOW + HOUR),
    marked('api', 'pay', NOW + HOUR),
    marked('web', 'pay', NOW + LONGEST_DENY_MS + 1),
    marked('web', 'pay', NOW),
  ]) {
    put(entry('orders', found));
    expect(await end()).toMatchObject({ kind: 'unknown' });
  }
  put(entry('orders', marked('api', 'pay', NOW + HOUR), marked('web', 'pay', NOW + LONGEST_DENY_MS)));
  expect(await end()).toMatchObject({
    ...{ kind: 'done', ruling: { until: NOW + LONGEST_DENY_MS, by: { id: 'unknown' } } },
  });
});
