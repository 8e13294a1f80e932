import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { SyncError } from '../../../src/errors.js';
import type { IntentionEntry, ServiceName } from '../../../src/model/intention.js';
import { destinationKey, formatKey } from '../../../src/model/key.js';
import type { Evidence } from '../../../src/model/trigger.js';
import { toLastAppliedText } from '../../../src/plan/last-applied.js';
import { reconcileDestination } from '../../../src/reconcile/destination.js';
import { ALLOW, claiming, client, entry, keyOf, NOW, ourSource } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../deps.js';

const never = new AbortController().signal;
const KEY = { ...destinationKey('orders', 'default', 'default'), kind: 'destination' } as const;
const SUBJECT = 'intention/default/default/orders/web';
const cause = { kind: 'webhook' as const, receivedAt: new Date(NOW).toISOString() };
const LOST: Evidence = { provider: 'main', clients: ['web'] };

/** A destination whose source `web` has lost its client. Consul answers what `stored` has from `answer` on. */
function rigOf(stored: Map<string, IntentionEntry>) {
  const world = worldWithTwo();
  const first = world.entries.get(keyOf('orders'));
  if (first !== undefined && !stored.has('orders')) stored.set('orders', first);
  world.putClient({ provider: 'main', clientId: 'web' }, undefined, world.beginRead());
  const { deps, decisions } = depsOf(world, {});
  const asked: string[] = [];
  const written: (readonly string[])[] = [];
  let answer = () => {};
  let fail: (error: unknown) => void = () => {};
  const answering = new Promise<void>((resolve, reject) => {
    [answer, fail] = [resolve, reject];
  });
  const intentions = {
    ...deps.consul.intentions,
    read: async ({ name }: ServiceName) => {
      asked.push(name);
      await answering;
      return stored.get(name);
    },
    write: async (_: ServiceName, __: unknown, sources: IntentionEntry['sources']) => {
      written.push(sources.map(({ name }) => name).toSorted());
      return { kind: 'written' as const };
    },
  };
  const remove = async () => {
    written.push([]);
    return { kind: 'written' as const };
  };
  const plans = vi.spyOn(world, 'openings');
  const run = (evidence: readonly Evidence[] = [LOST]) => {
    const triggers = [{ key: KEY, cause, evidence, urgent: true }];
    const whole = { ...deps, consul: { ...deps.consul, intentions: { ...intentions, delete: remove } } };
    return reconcileDestination(KEY, { key: KEY, triggers, attempts: 0 }, whole, never);
  };
  return { world, deps, decisions, asked, written, answer, fail, plans, run };
}

const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await setImmediate();
};

test('a removal reads the entry and the wildcard entry at once, and plans once', async () => {
  const { asked, written, answer, plans, run } = rigOf(new Map());
  const running = run();
  await turns();
  expect(asked).toEqual(['orders', '*']);
  answer();
  expect(await running).toEqual({ kind: 'done' });
  expect(asked).toEqual(['orders', '*', 'orders']);
  expect(written).toEqual([['api']]);
  expect(plans).toHaveBeenCalledTimes(1);
});

test('an entry that somebody changed since its write is planned again, without the evidence of the first run', async () => {
  const { deps, answer, run } = rigOf(new Map());
  const addLater = vi.spyOn(deps.queue, 'addLater');
  const running = run();
  answer();
  await running;
  // Consul still shows the removed source.
  await vi.waitFor(() => expect(addLater).toHaveBeenCalledTimes(1));
  const [trigger] = addLater.mock.calls[0] ?? [];
  expect(trigger).toEqual({ key: KEY, cause: { kind: 'consul-watch', receivedAt: expect.any(String) } });
});

test('a removal is recorded while it reads, and written after that', async () => {
  const { deps, written, answer, run } = rigOf(new Map());
  const running = run();
  await turns();
  const { pending } = await deps.journal.read(formatKey(KEY));
  expect(pending.map(({ subject }) => subject)).toEqual([SUBJECT]);
  expect(written).toEqual([]);
  answer();
  await running;
  expect(written).toEqual([['api']]);
});

test('a removal whose reads fail ends without a decision', async () => {
  const failure = new SyncError('ERR_CONSUL_UNREACHABLE', 'no answer', { retriable: true });
  const { deps, decisions, written, fail, run } = rigOf(new Map());
  const running = run();
  await turns();
  fail(failure);
  await expect(running).rejects.toBe(failure);
  expect((await deps.journal.read(formatKey(KEY))).pending).toEqual([]);
  expect([written, decisions, deps.window.used(NOW)]).toEqual([[], [], 0]);
});

test('a removal that nobody reported is counted only once Consul was asked', async () => {
  const { deps, fail, run } = rigOf(new Map());
  const running = run([]);
  await turns();
  expect(await deps.keyValues.get('guard/window')).toBeUndefined();
  fail(new Error('no answer'));
  await expect(running).rejects.toThrow('no answer');
  await turns();
  expect(await deps.keyValues.get('guard/window')).toBeUndefined();
});

test('a recorded hold of a removal ends only by what Consul has now', async () => {
  const { deps, decisions, fail, run } = rigOf(new Map());
  await deps.journal.settle(formatKey(KEY), [], { holds: new Map([['held', heldFor('RevocationLimit')]]) });
  const running = run();
  await turns();
  fail(new Error('no answer'));
  await expect(running).rejects.toThrow('no answer');
  expect([...(await deps.journal.read(formatKey(KEY))).holds.keys()]).toEqual(['held']);
  expect(decisions).toEqual([]);
});

test('a removal whose second plan fails ends without a decision', async () => {
  const foreign = { ...ourSource('cron', ALLOW), description: '' };
  const changed = { ...entry('orders', ourSource('web', ALLOW), foreign), modifyIndex: 99 };
  const { deps, decisions, written, asked, answer, run } = rigOf(new Map([['orders', changed]]));
  const { record } = deps.journal;
  deps.journal.record = async (...args) => {
    await record(...args);
    Object.assign(deps.queue, {
      late: () => {
        // The second plan asks for the late triggers, too.
        if (asked.length > 2) throw new Error('the state is broken');
        return [];
      },
    });
  };
  const running = run();
  await turns();
  answer();
  await expect(running).rejects.toThrow();
  expect((await deps.journal.read(formatKey(KEY))).pending).toEqual([]);
  expect([written, decisions]).toEqual([[], []]);
});

test('a removal whose mode becomes observe before its write ends without a draft', async () => {
  const { world, deps, written, answer, run } = rigOf(new Map());
  const running = run();
  await turns();
  world.setMapping({ ...world.mapping, mode: 'observe' });
  answer();
  await running;
  expect((await deps.journal.read(formatKey(KEY))).pending).toEqual([]);
  expect(written).toEqual([]);
});

test('a removal is recorded once although another client changes meanwhile', async () => {
  const { world, deps, asked, written, answer, run } = rigOf(new Map());
  const record = vi.spyOn(deps.journal, 'record');
  const running = run();
  await turns();
  world.putClient({ provider: 'main', clientId: 'other' }, client('other', []), world.beginRead());
  answer();
  await running;
  expect(written).toEqual([['api']]);
  expect(record).toHaveBeenCalledTimes(1);
  expect(asked.slice(0, 2)).toEqual(['orders', '*']);
});

test('a removal is recorded once although the next run of its key is asked for already', async () => {
  const { deps, written, answer, run } = rigOf(new Map());
  const late = [{ key: KEY, cause, evidence: [] }];
  Object.assign(deps.queue, { late: () => late });
  const record = vi.spyOn(deps.journal, 'record');
  answer();
  await run();
  expect(written).toEqual([['api']]);
  expect(record).toHaveBeenCalledTimes(1);
});

test('a removal is held only by what Consul has now', async () => {
  const { world, deps, answer, run } = rigOf(new Map());
  world.setMapping({ ...world.mapping, maxRevocations: { percent: 0, atLeast: 0, windowMs: 600_000 } });
  const running = run([]);
  await turns();
  expect(await deps.journal.read(formatKey(KEY))).toMatchObject({ pending: [], holds: new Map() });
  answer();
  await running;
  expect([...(await deps.journal.read(formatKey(KEY))).holds.keys()]).toEqual([`${SUBJECT} RevocationLimit`]);
});

test('a removal is planned again from an entry that the watch has not shown', async () => {
  const foreign = { ...ourSource('cron', ALLOW), description: '' };
  const changed = { ...entry('orders', ourSource('web', ALLOW), foreign), modifyIndex: 99 };
  const { written, answer, run } = rigOf(new Map([['orders', changed]]));
  const running = run();
  await turns();
  answer();
  await running;
  expect(written).toEqual([['api', 'cron']]);
});

test('a removal closes its source where a new wildcard entry would take effect instead', async () => {
  const wide = { ...entry('*', { ...ourSource('web', ALLOW), description: '' }), modifyIndex: 99 };
  const { written, answer, run } = rigOf(new Map([['*', wide]]));
  const running = run();
  await turns();
  answer();
  await running;
  expect(written).toEqual([['api', 'web']]);
});

test('a removal is planned again with a change that became known during the reads', async () => {
  const { world, written, answer, run } = rigOf(new Map());
  const running = run();
  await turns();
  world.putClient({ provider: 'main', clientId: 'web' }, client('web', ['orders']), world.beginRead());
  answer();
  await running;
  expect(written).toEqual([]);
});

test('a removal that nobody reported waits for the reads of clients that have begun, and records nothing before', async () => {
  const { deps, decisions, asked, run } = rigOf(new Map());
  void deps.clientReads.run(() => new Promise(() => {}));
  expect(await run([])).toEqual({ kind: 'retry', afterMs: 20 });
  expect(asked).toEqual([]);
  expect(decisions).toEqual([]);
  expect(await deps.journal.read('destination/default/default/orders')).toMatchObject({ pending: [] });
});

const heldFor = (reason: 'RevocationLimit' | 'ForeignSource') =>
  ({ subject: SUBJECT, reason, decisionId: 'd', since: '', detail: '', fingerprint: '' }) as const;

test('a removal that is held already waits for no read of a client', async () => {
  const { deps, asked, answer, run } = rigOf(new Map());
  void deps.clientReads.run(() => new Promise(() => {}));
  const holds = new Map([['held', heldFor('RevocationLimit')]]);
  await deps.journal.settle('destination/default/default/orders', [], { holds });
  const running = run([]);
  await turns();
  expect(asked).toEqual(['orders', '*']);
  answer();
  await running;
});

test('a removal that was held for a reason that no person decides waits for reads of clients, too', async () => {
  const { deps, run } = rigOf(new Map());
  void deps.clientReads.run(() => new Promise(() => {}));
  const holds = new Map([['held', heldFor('ForeignSource')]]);
  await deps.journal.settle('destination/default/default/orders', [], { holds });
  expect(await run([])).toEqual({ kind: 'retry', afterMs: 20 });
});

test('a removal that was reported waits for no read of a client, also beside one that was not', async () => {
  const { world, deps, written, answer, run } = rigOf(new Map());
  void deps.clientReads.run(() => new Promise(() => {}));
  world.putClient({ provider: 'main', clientId: 'api' }, undefined, world.beginRead());
  const running = run();
  await turns();
  answer();
  await running;
  expect(written).toEqual([[]]);
});

test('a source that is about to be removed stays, and is denied, if a wildcard entry appears that would let it in', async () => {
  const { world, deps, written, answer, run } = rigOf(new Map());
  const wide = { ...entry('*', { ...ourSource('web', ALLOW), description: '' }), modifyIndex: 99 };
  const record = deps.journal.record.bind(deps.journal);
  let isFirst = true;
  deps.journal.record = async (...args) => {
    await record(...args);
    // Between the record and the write.
    if (isFirst) world.putEntry({ partition: 'default', namespace: 'default', name: '*' }, wide);
    isFirst = false;
  };
  const running = run();
  await turns();
  answer();
  await running;
  expect(written).toEqual([['api', 'web']]);
});

test('a removal reads the wildcard entry beside a gain, too', async () => {
  const wide = { ...entry('*', { ...ourSource('web', ALLOW), description: '' }), modifyIndex: 99 };
  const { world, asked, written, answer, run } = rigOf(new Map([['*', wide]]));
  world.putClient({ provider: 'main', clientId: 'db' }, client('db', ['orders']), world.beginRead());
  const services = ['web', 'api', 'db'].map((name) => claiming(name, name));
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  const running = run();
  await turns();
  expect(asked).toEqual(['orders', '*']);
  answer();
  await running;
  expect(written).toEqual([['api', 'db', 'web']]);
});

test('a removal whose entry is gone by now is planned again, and opens what is wanted', async () => {
  const stored = new Map<string, IntentionEntry>();
  const { written, answer, run } = rigOf(stored);
  stored.delete('orders');
  const running = run();
  await turns();
  answer();
  await running;
  expect(written).toEqual([['api']]);
});

test('a removal has the evidence that came during the reads, and is then not inferred', async () => {
  const { deps, written, answer, run } = rigOf(new Map());
  const running = run([]);
  await turns();
  const late = [{ key: KEY, cause, evidence: [LOST] }];
  Object.assign(deps.queue, { late: () => late.splice(0) });
  answer();
  await running;
  expect(written).toEqual([['api']]);
  expect(deps.window.used(NOW)).toBe(0);
});

test('an edge that seems gone is looked at in Consul before that is recorded', async () => {
  const { world, deps, decisions, asked, written, answer, run } = rigOf(new Map());
  const shown = { ...entry('orders', ourSource('api', ALLOW)), modifyIndex: 6 };
  world.putEntry({ partition: 'default', namespace: 'default', name: 'orders' }, shown);
  world.rememberWritten(formatKey(KEY), new Map([[SUBJECT, toLastAppliedText(ALLOW, ['orders'])]]));
  await deps.journal.settle(formatKey(KEY), [], { lastApplied: world.records.of(formatKey(KEY)) });
  const running = run();
  await turns();
  expect(asked).toEqual(['orders', '*']);
  answer();
  await running;
  expect(written).toEqual([['api']]);
  expect(decisions.map(({ reason }) => reason)).not.toContain('RemovedElsewhere');
});
