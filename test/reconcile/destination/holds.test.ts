import { describe, expect, it } from 'vitest';
import { SyncError } from '../../../src/errors.js';
import type { IntentionEntry, ServiceName } from '../../../src/model/intention.js';
import { ruleOnHold } from '../../../src/operator/approvals.js';
import { reconcileDestination } from '../../../src/reconcile/destination.js';
import { verdictOn } from '../../operator/stored-verdict.js';
import { ALLOW, claiming, client, entry, keyOf, NOW, named, ourSource, rule } from '../../plan/scene.js';
import { jobOf, KEY, planRig, subjectOf, TEXT } from '../plan-basis.js';

const never = new AbortController().signal;
/** The edge of `web` is gone. */
const CLOSED = { ...entry('orders', ourSource('api', ALLOW)), modifyIndex: 8 };
const WEB = { provider: 'main', clientId: 'web' };

/** The job of `orders`, whose writes `before` may refuse. */
function rig() {
  const of = planRig();
  const { world, deps } = of;
  const self = { before: () => {} };
  const { read } = deps.consul.intentions;
  const written: (readonly string[])[] = [];
  const write = async (_: ServiceName, __: unknown, sources: IntentionEntry['sources']) => {
    self.before();
    written.push(sources.map(({ name }) => name).toSorted());
    return { kind: 'written' as const };
  };
  const intentions = {
    ...deps.consul.intentions,
    read: async (service: ServiceName, signal: AbortSignal) =>
      service.name === 'orders' ? world.entries.get(keyOf('orders')) : read(service, signal),
    write,
  };
  Object.assign(deps, { consul: { ...deps.consul, intentions } });
  return Object.assign(self, of, {
    written,
    run: (clients: readonly string[] = []) => reconcileDestination(KEY, jobOf(clients), deps, never),
    recorded: async () => deps.journal.read(TEXT),
    holds: async () => [...(await deps.journal.read(TEXT)).holds.keys()],
  });
}

describe('a removal that a person approved', () => {
  async function approved() {
    const of = rig();
    const { world, deps, recorded, run, lose } = of;
    world.setMapping({ ...world.mapping, maxRevocations: { percent: 0, atLeast: 0, windowMs: 600_000 } });
    lose('web');
    await run();
    const [hold] = (await recorded()).holds.values();
    await ruleOnHold(hold?.decisionId ?? '', 'approved', { id: 'ann' }, deps);
    return Object.assign(of, { ruling: () => verdictOn(deps, subjectOf('web')) });
  }

  it('is made once, and its hold and its approval end', async () => {
    const { run, holds, ruling, written } = await approved();
    expect([await holds(), written]).toEqual([[`${subjectOf('web')} RevocationLimit`], []]);
    await run();
    expect(written).toEqual([['api']]);
    expect([await holds(), await ruling()]).toEqual([[], undefined]);
  });

  it('keeps its hold and its approval while the write fails', async () => {
    const of = await approved();
    of.before = () => {
      throw new SyncError('ERR_CONSUL_UNREACHABLE', 'no answer', { retriable: true });
    };
    await expect(of.run()).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    expect(await of.holds()).toEqual([`${subjectOf('web')} RevocationLimit`]);
    expect(await of.ruling()).toContain('approved');
  });
});

describe('the edge of a client in quarantine', () => {
  const HELD = `${subjectOf('web')} ClientQuarantined`;
  async function quarantined() {
    const of = rig();
    of.world.setClientBlock(WEB, 'ClientQuarantined');
    await of.run();
    return of;
  }

  it('is closed before it is held', async () => {
    const { written, decisions, holds } = await quarantined();
    expect(written).toEqual([['api']]);
    expect(decisions.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['applied', 'ClientQuarantined'],
      ['held', 'ClientQuarantined'],
    ]);
    expect(await holds()).toEqual([HELD]);
  });

  it('is held also if it is closed already', async () => {
    const { world, written, run, holds } = rig();
    world.setClientBlock(WEB, 'ClientQuarantined');
    world.putEntry(named('orders'), CLOSED);
    await run();
    expect([written, await holds()]).toEqual([[], [HELD]]);
  });

  it('is held also if another edge is removed with it', async () => {
    const { world, deps, lose, run, holds } = rig();
    Object.assign(deps.consul.intentions, { delete: async () => ({ kind: 'written' as const }) });
    world.setClientBlock(WEB, 'ClientQuarantined');
    lose('api');
    await run(['api']);
    expect(await holds()).toEqual([HELD]);
  });

  it('is held until it is open again, which has the end of the quarantine as its reason', async () => {
    const of = await quarantined();
    const { world, decisions, run, holds } = of;
    world.setClientBlock(WEB, undefined);
    of.before = () => {
      throw new SyncError('ERR_CONSUL_UNREACHABLE', 'no answer', { retriable: true });
    };
    await expect(run()).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    expect(await holds()).toEqual([HELD]);
    of.before = () => {};
    await run();
    expect(await holds()).toEqual([]);
    expect(decisions.map(({ outcome, reason }) => [outcome, reason])).toContainEqual([
      'applied',
      'QuarantineEnded',
    ]);
  });
});

it.each([false, true])(
  'an edge that is gone is recorded, but not in a store that is low: %s',
  async (isLow) => {
    const { world, deps, lose, onlyRecorded, run, recorded, decisions } = rig();
    lose('gone');
    onlyRecorded('web', 'api', 'gone');
    await deps.journal.settle(TEXT, [], { lastApplied: world.records.of(TEXT) });
    Object.assign(deps, { space: { isLow: () => isLow } });
    await run();
    expect(decisions.map(({ reason }) => reason)).toEqual(isLow ? [] : ['RemovedElsewhere']);
    expect((await recorded()).lastApplied.size).toBe(3);
  },
);

it('nothing is opened once a freeze began while that was recorded', async () => {
  const { world, deps, run, written } = rig();
  world.putEntry(named('orders'), CLOSED);
  const { record } = deps.journal;
  deps.journal.record = async (...args) => {
    await record(...args);
    world.freezes.set([{ kind: 'started', since: 0 }]);
  };
  await run();
  expect([written, (await deps.journal.read(TEXT)).pending]).toEqual([[], []]);
});

it('an edge with the mark and without a record is recorded if it is as wanted', async () => {
  const { onlyRecorded, run, recorded, written } = rig();
  onlyRecorded('web');
  await run();
  expect([...(await recorded()).lastApplied.keys()]).toContain(subjectOf('api'));
  expect(written).toEqual([]);
});

it('a plan that changes with each record closes what it must, opens nothing and runs again', async () => {
  const { world, deps, lose, run, written, decisions } = rig();
  lose('web');
  const services = ['web', 'api', 'db'].map((name) => claiming(name, name));
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  world.setMapping({ ...world.mapping, rules: ['orders', 'more'].map((scope) => rule(scope, 'orders')) });
  let scopes = ['orders'];
  const change = () => {
    scopes = scopes.length === 1 ? ['orders', 'more'] : ['orders'];
    world.putClient({ provider: 'main', clientId: 'db' }, client('db', scopes), world.beginRead());
  };
  change();
  const { record } = deps.journal;
  deps.journal.record = async (...args) => {
    await record(...args);
    change();
  };
  expect(await run(['web'])).toEqual({ kind: 'retry', afterMs: 20 });
  expect(written).toEqual([['api']]);
  expect(decisions.map(({ subject, outcome }) => [subject, outcome])).toEqual([
    [subjectOf('web'), 'applied'],
  ]);
});
