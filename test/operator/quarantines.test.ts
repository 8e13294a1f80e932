import { expect, it } from 'vitest';
import { clientKey } from '../../src/model/key.js';
import type { Job } from '../../src/model/trigger.js';
import {
  decideRelease,
  QUARANTINES,
  quarantinedBy,
  quarantineOf,
  releaseIfDecided,
  releaseIfRotated,
  restoreQuarantines,
  storedBlocks,
  takeOrders,
} from '../../src/operator/quarantines.js';
import { recordRuling, rulingsKey } from '../../src/operator/ruling-store.js';
import { createSelection } from '../../src/plan/selection.js';
import { notes } from '../lease/lease-rig.js';
import { ALLOW, client, entry, NOW, ourSource, source } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const [WEB, API] = [
  { provider: 'main', clientId: 'web' },
  { provider: 'main', clientId: 'api' },
];
const OLD = { provider: 'main', clientId: 'old' };
const BOB = { id: 'token:bob' };
const instant = (ms: number) => new Date(NOW + ms).toISOString();
const KEPT = { closure: 'ClientQuarantined', at: instant(0), receivedAt: instant(0) } as const;
const CAUSE = { kind: 'webhook', receivedAt: instant(0) } as const;

function start() {
  const world = worldWithTwo();
  const all = depsOf(world, {});
  const { logger, logged } = notes();
  const deps = { ...all.deps, logger };
  /** A report so long after `NOW`, about a moment so long after it. */
  const report = (receivedMs = 0, atMs = receivedMs, id = WEB) => {
    const key = clientKey('main', id.clientId);
    const cause = { kind: 'order' as const, receivedAt: instant(receivedMs) };
    const order = { kind: 'secret-compromised' as const, ...id, at: instant(atMs), cause, reason: 'INC-1' };
    const job: Job = { key, triggers: [{ key, cause, order }], attempts: 0 };
    return takeOrders(id, job, deps);
  };
  const rotate = (ms: number, id = WEB) =>
    releaseIfRotated(id, client(id.clientId, [], { secretCreatedAt: instant(ms) }), CAUSE, deps);
  const decide = (id = WEB) => decideRelease(id, BOB, deps);
  const stored = async (id = WEB) =>
    (await storedBlocks(deps)).find(({ clientId }) => clientId === id.clientId);
  return { ...all, deps, world, logged, report, rotate, decide, stored };
}

it('has one decision, which says why and what stays open, and another report moves its instants on alone', async () => {
  const { report, stored, decisions, logged, world } = start();
  expect(await report()).toBe(true);
  expect(await report()).toBe(false);
  expect(await report(5_000, -60_000)).toBe(true);
  expect(world.clientBlock(WEB)).toBe('ClientQuarantined');
  const [{ id = '' } = {}] = decisions;
  expect(await stored()).toEqual({
    ...{ ...WEB, closure: 'ClientQuarantined', at: instant(0), receivedAt: instant(5_000), decisionId: id },
  });
  expect(decisions).toMatchObject([
    {
      ...{ type: 'dev.scopemesh.client.quarantined', subject: 'client/main/web', outcome: 'applied' },
      ...{ reason: 'ClientQuarantined', detail: 'INC-1', before: null, after: { at: instant(0) } },
      cause: { kind: 'order', receivedAt: instant(0) },
      residual: { accessTokensUntil: expect.anything() },
    },
  ]);
  expect(logged).toEqual([
    {
      ...{ ...WEB, at: instant(0) },
      message: 'client quarantined: its secret is compromised, or a person ordered it',
    },
  ]);
  expect(
    await takeOrders(WEB, { key: clientKey('main', 'web'), triggers: [], attempts: 0 }, start().deps),
  ).toBe(false);
});

it('ends by a secret made after the report, and by no other fact', async () => {
  const { report, rotate, stored, decisions, deps, world, logged } = start();
  await report();
  await report(0, 0, API);
  for (const ms of [-1, 0]) expect(await rotate(ms)).toBe(false);
  for (const shown of [undefined, client('web', [])])
    expect(await releaseIfRotated(WEB, shown, CAUSE, deps)).toBe(false);
  expect(world.clientBlock(WEB)).toBe('ClientQuarantined');
  expect(await rotate(1)).toBe(true);
  expect(await rotate(1)).toBe(false);
  expect([world.clientBlock(WEB), world.clientBlock(API)]).toEqual([undefined, 'ClientQuarantined']);
  expect(await stored()).toMatchObject({ closure: 'Released', at: instant(0), decisionId: decisions[2]?.id });
  expect(await stored(API)).toMatchObject({ closure: 'ClientQuarantined' });
  expect(decisions.slice(2)).toMatchObject([
    {
      ...{ type: 'dev.scopemesh.client.released', outcome: 'applied', reason: 'SecretRotated', cause: CAUSE },
      ...{ before: { at: instant(0) }, after: { secretCreatedAt: instant(1) } },
    },
  ]);
  expect(logged.at(-1)).toEqual({ ...WEB, reason: 'SecretRotated', message: 'quarantine ended' });
  // What was reported before that end has no effect, and what is reported later has.
  expect(await report()).toBe(false);
  expect(await report(2)).toBe(true);
});

it('that only Consul has ends by no secret, and by no person before its job has stored it', async () => {
  const { rotate, decide, deps, world, decisions, report } = start();
  world.setClientBlock(WEB, 'ClientQuarantined');
  expect(await rotate(1)).toBe(false);
  expect(await decide()).toBe(true);
  expect(await releaseIfDecided(WEB, deps)).toBe(false);
  expect([world.clientBlock(WEB), decisions]).toEqual(['ClientQuarantined', []]);
  await report(-1_000);
  expect(await releaseIfDecided(WEB, deps)).toBe(true);
  expect(world.clientBlock(WEB)).toBeUndefined();
});

it('ends by the person who knew its last report, with a decision that names that person, and once', async () => {
  const { report, decide, deps, world, decisions, added } = start();
  expect(await decide()).toBe(false);
  await report();
  expect(await releaseIfDecided(WEB, deps)).toBe(false);
  expect(await decide()).toBe(true);
  const cause = { kind: 'command', receivedAt: instant(0), principal: BOB };
  expect(added).toEqual([{ key: clientKey('main', 'web'), cause }]);
  expect(await releaseIfDecided(WEB, deps)).toBe(true);
  expect(await releaseIfDecided(WEB, deps)).toBe(false);
  expect(decisions.slice(1)).toMatchObject([
    { reason: 'QuarantineEnded', principal: BOB, cause, before: { at: instant(0) }, after: null },
  ]);
  expect(await decide()).toBe(false);
  // The next quarantine needs a decision of its own.
  await report(1_000);
  expect(await releaseIfDecided(WEB, deps)).toBe(false);
  expect(world.clientBlock(WEB)).toBe('ClientQuarantined');
});

it('is restored by the next process for the clients that it selects, but for what a person has ended since', async () => {
  const { report, decide, deps } = start();
  for (const id of [WEB, API, { provider: 'main', clientId: 'job' }, OLD]) await report(0, 0, id);
  await decide(API);
  await decide(OLD);
  await releaseIfDecided(OLD, deps);
  const next = worldWithTwo();
  next.setMapping({ ...next.mapping, select: createSelection({ clients: ['web', 'api', 'old'] }) });
  await restoreQuarantines({ ...deps, world: next });
  const names = ['web', 'api', 'job', 'old'];
  const blocks = names.map((clientId) => next.clientBlock({ provider: 'main', clientId }));
  expect(blocks).toEqual(['ClientQuarantined', undefined, undefined, undefined]);
});

it('does not end by a release that a person decided before its last report, then or later', async () => {
  const { report, decide, deps, world, decisions } = start();
  await report();
  await decide();
  await report(1);
  for (let run = 0; run < 2; run++) expect(await releaseIfDecided(WEB, deps)).toBe(false);
  expect([world.clientBlock(WEB), decisions.length]).toEqual(['ClientQuarantined', 1]);
  // Nor does it wait for a quarantine that is as old as it.
  await recordRuling(QUARANTINES, { ...WEB, ...KEPT }, { isForgotten: true }, deps);
  await report();
  expect(await releaseIfDecided(WEB, deps)).toBe(false);
});

it('is identified by its last report, and named by its decision, as long as it is in effect', async () => {
  const { report, rotate, deps, world, decisions } = start();
  expect(await quarantineOf(WEB, deps)).toBeUndefined();
  world.setClientBlock(API, 'ClientQuarantined');
  expect(await quarantineOf(API, deps)).toBe('in Consul');
  await report(7);
  const [{ id = '' } = {}] = decisions;
  expect(await quarantineOf(WEB, deps)).toBe(instant(7));
  expect([await quarantinedBy(id, deps), await quarantinedBy('other', deps)]).toEqual([WEB, undefined]);
  await rotate(8);
  for (const { id } of decisions) expect(await quarantinedBy(id, deps)).toBeUndefined();
  expect(await quarantineOf(WEB, deps)).toBeUndefined();
});

it('says which intentions of others still let the services of the client in', async () => {
  const { world, report, decisions } = start();
  const found = entry('billing', source('web', ALLOW), source('api', ALLOW));
  world.putEntries([found, entry('orders', ourSource('web', ALLOW))], NOW);
  await report();
  expect(decisions).toMatchObject([{ residual: { foreignAllows: ['web -> billing'] } }]);
});

it('is stored in one step with its decision: a store that fails has neither, and the client is closed at once', async () => {
  const { report, deps, decisions, stored, world } = start();
  const { settle } = deps.journal;
  deps.journal.settle = () => Promise.reject(new Error('the store is away'));
  await expect(report()).rejects.toThrow('away');
  expect([world.clientBlock(WEB), await stored(), decisions]).toEqual(['ClientQuarantined', undefined, []]);
  deps.journal.settle = settle;
  expect(await report()).toBe(true);
  expect(decisions).toMatchObject([{ reason: 'ClientQuarantined', outcome: 'applied' }]);
  expect(await stored()).toMatchObject({ decisionId: decisions[0]?.id });
});

it.each<[string, object]>([
  ['no provider', { provider: 1 }],
  ['no client', { clientId: undefined }],
  ['no instant', { at: 5 }],
  ['another state', { closure: 'Open' }],
])('is left out if its record has %s, and the others stay', async (_, broken) => {
  const { deps } = start();
  await recordRuling(QUARANTINES, { ...WEB, ...KEPT }, {}, deps);
  const lastApplied = new Map([['quarantine/x', JSON.stringify({ ...API, ...KEPT, ...broken })]]);
  await deps.journal.settle(rulingsKey(deps.world.mapping.owner), [], { lastApplied });
  expect(await storedBlocks(deps)).toEqual([{ ...WEB, ...KEPT }]);
});

it.each<[string, unknown]>([
  ['no object', 'text'],
  ['null', null],
  ['no limit', { by: BOB, decidedAt: instant(0) }],
  ['nobody', { by: null, decidedAt: instant(0), upTo: instant(0) }],
  ['a person with another ID', { by: { id: 1 }, decidedAt: instant(0), upTo: instant(0) }],
])('does not end by a stored release that is or has %s', async (_, broken) => {
  const { report, deps } = start();
  await report();
  await deps.keyValues.set('release/client/main/web', JSON.stringify(broken));
  expect(await releaseIfDecided(WEB, deps)).toBe(false);
});
