import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Consul } from '../../../src/consul/consul.js';
import { SyncError } from '../../../src/errors.js';
import type { Decision } from '../../../src/model/decision.js';
import { destinationKey } from '../../../src/model/key.js';
import type { Journal } from '../../../src/queue/journal.js';
import { boundJournal } from '../../support/bound-journal.js';
import { clientOf, createRig, type Rig } from '../../support/daemon.js';
import { Death } from '../../support/death.js';
import { READ } from '../../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

const ORDERS = 'destination/default/default/orders';
const GAINED = names('new', 8);
const LOST = names('old', 2);
const KEPT = names('kept', 2);
const CHANGED = [...GAINED, ...LOST];
/** Consul refuses the entry with it. */
const BAD = 'new-05';

let rig: Rig;
let worker: Worker;
beforeEach(async () => {
  rig = await createRig({
    file: { guards: { maxRevocations: { percent: 100, atLeast: 100 } } },
    clients: [...LOST, ...KEPT, ...GAINED].map((name) =>
      clientOf(name, ...(GAINED.includes(name) ? [] : ['orders:read'])),
    ),
    prepare: async ({ mesh }) => {
      await mesh.speaks('orders', 'http');
      await mesh.register('orders');
      for (const name of [...LOST, ...KEPT, ...GAINED]) await mesh.register(name, { client: `${name}-app` });
    },
  });
  worker = await startWorker(rig);
  await worker.idle();
  expect(await sources()).toEqual([...KEPT, ...LOST].toSorted());
  await worker.stop();
  for (const name of GAINED) rig.idp.put(`${name}-app`, 'orders:read');
  for (const name of LOST) rig.idp.put(`${name}-app`);
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

function names(kind: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${kind}-${String(at).padStart(2, '0')}`);
}

async function sources(): Promise<readonly string[]> {
  const access = (await rig.mesh.access('orders')) ?? {};
  return Object.keys(access)
    .filter((name) => access[name] === READ)
    .toSorted();
}

/** By source, the decisions of the edges that this change is about. */
async function decisions(): Promise<ReadonlyMap<string, readonly Decision[]>> {
  const bySource = new Map<string, Decision[]>();
  for (const each of await worker.settled()) {
    const { source = '', destination } = each.resource;
    if (destination !== 'orders' || !CHANGED.includes(source)) continue;
    // The grant of what is lost now belongs to the first process.
    if (LOST.includes(source) && each.action === 'grant') continue;
    bySource.set(source, [...(bySource.get(source) ?? []), each]);
  }
  return bySource;
}

const appliedOf = (all: readonly Decision[] = []) => all.filter(({ outcome }) => outcome === 'applied');

/** Resolves with the ids of the writes that the applied decisions of these edges name; each has exactly one. */
async function writesOf(edges: readonly string[]): Promise<readonly string[]> {
  const bySource = await decisions();
  const counts = edges.map((source) => `${source} ${appliedOf(bySource.get(source)).length}`);
  expect(counts).toEqual(edges.map((source) => `${source} 1`));
  const ids = edges.flatMap((source) => appliedOf(bySource.get(source)).map(({ writeId }) => writeId ?? ''));
  expect(ids).not.toContain('');
  return [...new Set(ids)];
}

/** Consul shows a write before its decisions are settled. */
const untilSettled = (edges: readonly string[]) =>
  until('their decisions', async () => {
    const bySource = await decisions();
    return edges.every((source) => appliedOf(bySource.get(source)).length > 0);
  });

/** What must hold after any crash, once nothing is left to do. */
async function expectWhole(present: readonly string[]): Promise<void> {
  expect(await sources()).toEqual([...present].toSorted());
  const { pendingKeys } = await worker.store.journal.overview();
  expect(pendingKeys).toEqual([]);
  const revisions = new Map<string, number[]>();
  for (const { subject, revision } of await worker.settled())
    revisions.set(subject, [...(revisions.get(subject) ?? []), revision]);
  for (const [subject, seen] of revisions)
    expect([subject, seen]).toEqual([subject, seen.map((_, at) => at + 1)]);
  for (const [source, all] of await decisions()) {
    const unknown = all.filter(({ outcome }) => outcome === 'unknown');
    expect([source, unknown]).toEqual([source, []]);
  }
}

/** The same journal with another way of settling the decisions of many edges. */
function withSettle(journal: Journal, change: (settle: Journal['settle']) => Journal['settle']): Journal {
  const settle = change((...args) => journal.settle(...args));
  return {
    ...boundJournal(journal),
    settle: (key, all, update) =>
      key === ORDERS && all.length > 1 ? settle(key, all, update) : journal.settle(key, all, update),
  };
}

async function buried(death: Death): Promise<void> {
  await until('the death', () => death.hasCome);
  await death.bury(worker);
}

describe('a process that is killed at a write of many edges', () => {
  const MOMENTS = ['before it is sent', 'before its answer', 'before it is settled', 'after it is settled'];

  it.each(MOMENTS)('%s leaves each edge with one applied decision, all of one write', async (moment) => {
    const atWrite = moment === 'before it is sent' || moment === 'before its answer';
    const death = new Death(
      1,
      moment === 'before it is sent' || moment === 'before it is settled' ? 'before' : 'after',
    );
    worker = await startWorker(
      rig,
      (consul) => withIntentions(consul, ({ write }) => ({ write: atWrite ? death.of(write) : write })),
      (journal) => withSettle(journal, (settle) => (atWrite ? settle : death.of(settle))),
    );
    await buried(death);
    worker = await startWorker(rig);
    await until(
      'every decision',
      async () =>
        [...(await decisions()).values()].filter((all) => appliedOf(all).length > 0).length ===
        CHANGED.length,
    );
    await worker.idle();
    await expectWhole([...KEPT, ...GAINED]);
    expect(await writesOf(CHANGED)).toHaveLength(1);
    const failed = [...(await decisions()).values()].flat().filter(({ outcome }) => outcome !== 'applied');
    // The drafts of what was never sent are judged as one write too.
    expect(failed.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual(
      moment === 'before it is sent' ? CHANGED.map(() => 'failed Interrupted') : [],
    );
    expect(new Set(failed.map(({ writeId }) => writeId)).size).toBe(failed.length === 0 ? 0 : 1);
    // The first process, and this write once.
    expect(rig.proxy.writes.filter(({ method }) => method === 'PUT')).toHaveLength(2);
  });

  it('leaves an unknown outcome for some edges, and the known one for the others', async () => {
    const death = new Death(1, 'after');
    worker = await startWorker(rig, (consul) =>
      withIntentions(consul, ({ write }) => ({ write: death.of(write) })),
    );
    await buried(death);
    const entry = await rig.mesh.entry('orders');
    await rig.mesh.write(
      'orders',
      (entry?.Sources ?? []).filter(({ Name }) => Name !== 'new-00'),
    );
    worker = await startWorker(rig);
    await worker.idle();
    const bySource = await decisions();
    expect(bySource.get('new-00')?.[0]).toMatchObject({ outcome: 'unknown', reason: 'Interrupted' });
    for (const source of CHANGED.filter((name) => name !== 'new-00'))
      expect([source, bySource.get(source)?.map(({ outcome }) => outcome)]).toEqual([source, ['applied']]);
  });
});

describe('a process that is killed while it splits a refused entry', () => {
  const REFUSAL = new SyncError('ERR_CONSUL_REJECTED', 'Consul refuses this source', { retriable: false });

  /** Consul, as long as it refuses the bad edge; the process may die at one of its writes. */
  const refusing = (isRefused: () => boolean, death?: Death) => (consul: Consul) =>
    withIntentions(consul, ({ write }) => {
      const judged: typeof write = async (...args) => {
        if (isRefused() && args[2].some(({ name }) => name === BAD)) throw REFUSAL;
        return write(...args);
      };
      return { write: death === undefined ? judged : death.of(judged) };
    });
  const good = CHANGED.filter((name) => name !== BAD);

  // Write 1 is the whole, 2 what narrows, 3 what widens; from there it is halved.
  const deaths = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((at) =>
    (['before', 'after'] as const).map((when) => [when, at] as const),
  );
  it.each(deaths)(
    '%s write %i is made leaves no accepted edge without its one decision',
    async (when, at) => {
      let isRefused = true;
      const death = new Death(at, when);
      worker = await startWorker(
        rig,
        refusing(() => isRefused, death),
      );
      await buried(death);
      worker = await startWorker(
        rig,
        refusing(() => isRefused),
      );
      await untilSettled(good);
      await until('the refusal', async () =>
        (await decisions()).get(BAD)?.some(({ reason }) => reason === 'ConsulRefused'),
      );
      expect(await sources()).toEqual([...KEPT, ...GAINED].filter((name) => name !== BAD).toSorted());
      await writesOf(good);
      const bad = (await decisions()).get(BAD) ?? [];
      expect(bad.every(({ outcome }) => outcome === 'failed')).toBe(true);
      isRefused = false;
      await worker.add(destinationKey('orders'), 'webhook', { urgent: true });
      await until('the bad edge', async () => appliedOf((await decisions()).get(BAD)).length > 0);
      await worker.idle();
      await expectWhole([...KEPT, ...GAINED]);
      await writesOf(CHANGED);
    },
  );
});

describe('an entry that Consul refuses for one edge', () => {
  it('gets every other edge, what narrows first, and the decision of that one alone says that it was refused', async () => {
    rig.proxy.interfere = ({ method, target, body }) =>
      method === 'PUT' && target.startsWith('/v1/config') && body.includes(`"${BAD}"`)
        ? { status: 400, body: 'Consul does not like this source' }
        : undefined;
    const before = rig.proxy.writes.length;
    worker = await startWorker(rig);
    await until('the refusal', async () =>
      (await decisions()).get(BAD)?.some(({ reason }) => reason === 'ConsulRefused'),
    );
    await until('the others', async () => (await sources()).length === KEPT.length + GAINED.length - 1);
    const [first] = rig.proxy.writes.slice(before);
    expect(GAINED.filter((name) => first?.body.includes(`"${name}"`))).toEqual([]);
    expect(LOST.filter((name) => first?.body.includes(`"${name}"`))).toEqual([]);
    const bySource = await decisions();
    const others = CHANGED.filter((name) => name !== BAD);
    await untilSettled(others);
    await writesOf(others);
    expect(bySource.get(BAD)?.[0]).toMatchObject({ outcome: 'failed', reason: 'ConsulRefused' });
    expect(bySource.get(BAD)?.[0]?.detail).toContain('does not like this source');
    rig.proxy.interfere = () => undefined;
  });
});
