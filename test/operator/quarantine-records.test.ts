import { describe, expect, it } from 'vitest';
import type { QuarantineWrite } from '../../src/consul/consul.js';
import { SyncError } from '../../src/errors.js';
import type { QuarantineRecord } from '../../src/model/quarantine.js';
import {
  compareQuarantines,
  showQuarantines,
  writeQuarantine,
} from '../../src/operator/quarantine-records.js';
import { QUARANTINES, storedBlocks } from '../../src/operator/quarantines.js';
import { recordRuling } from '../../src/operator/ruling-store.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { createSelection } from '../../src/plan/selection.js';
import type { StoredBlock } from '../../src/plan/stored-block.js';
import { type ClientId, clientText } from '../../src/plan/world.js';
import { inputOf } from '../../src/state/fleet.js';
import { notes } from '../lease/lease-rig.js';
import { NOW, named } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const SIGNAL = new AbortController().signal;
const [WEB, API] = [
  { provider: 'main', clientId: 'web' },
  { provider: 'main', clientId: 'api' },
];
const instant = (at: number) => new Date(at).toISOString();
const [AT, LATER] = [instant(NOW - 1_000), instant(NOW - 500)];
const DAY = 86_400_000;

const block = (id: ClientId, closure: StoredBlock['closure'], at = AT): StoredBlock => ({
  ...id,
  closure,
  at,
  receivedAt: at,
});
const recordOf = (id: ClientId, at = AT): QuarantineRecord => ({ ...id, at, receivedAt: at });

/** The store, and Consul's KV as `list` and `write` have it. */
async function start(
  stored: readonly StoredBlock[],
  records: readonly QuarantineRecord[] | SyncError = [],
  at = NOW,
) {
  const world = worldWithTwo();
  const all = depsOf(world, {});
  const { logger, logged } = notes();
  const metered: unknown[] = [];
  const written: QuarantineWrite[] = [];
  const kv = {
    list: async () => {
      if (records instanceof SyncError) throw records;
      return kv.records;
    },
    records: records instanceof SyncError ? [] : records,
    answer: (_: QuarantineWrite): { kind: 'written' } | { kind: 'refused'; detail: string } | undefined => ({
      kind: 'written',
    }),
    async write(writes: readonly QuarantineWrite[]) {
      written.push(...writes);
      return writes.flatMap((each) => kv.answer(each) ?? []);
    },
  };
  const deps = {
    ...all.deps,
    consul: { ...all.deps.consul, quarantines: kv },
    clock: { now: () => at, sleep: async () => {} },
    logger,
    metrics: {
      count: (name: string) => void metered.push(name),
      gauge: (name: string, value: number) => void metered.push([name, value]),
      time() {},
    },
  };
  for (const each of stored) await recordRuling(QUARANTINES, each, {}, deps);
  const compare = () => compareQuarantines('resync', deps, SIGNAL);
  const messages = () => logged.map(({ message }) => message);
  return { ...all, deps, world, kv, written, logged, messages, metered, compare };
}

describe('a quarantine that only Consul has', () => {
  it('closes its edges before the job of its client runs, which stores it', async () => {
    const { world, added, written, logged, compare } = await start([], [recordOf(WEB)]);
    await compare();
    expect(world.clientBlock(WEB)).toBe('ClientQuarantined');
    // No job has run: the plan of any other cause sees it.
    expect(planDestination(inputOf(world, named('orders'), NOW)).changes).toMatchObject([
      { source: { name: 'web' }, reason: 'ClientQuarantined', after: undefined },
    ]);
    const cause = { kind: 'resync', receivedAt: instant(NOW) };
    expect(added).toEqual([
      {
        key: { kind: 'client', provider: 'main', by: 'clientId', value: 'web' },
        cause,
        urgent: true,
        order: { kind: 'secret-compromised', ...WEB, at: AT, cause: { ...cause, receivedAt: AT } },
      },
    ]);
    expect(written).toEqual([]);
    expect(logged).toEqual([
      {
        ...WEB,
        at: AT,
        receivedAt: AT,
        message: 'found a quarantine in Consul that the store lacks; it takes effect',
      },
    ]);
  });

  it('is another one than the one that was released, if it is of a later report', async () => {
    const { world, written, compare } = await start([block(WEB, 'Released')], [recordOf(WEB, LATER)]);
    await compare();
    expect([world.clientBlock(WEB), written]).toEqual(['ClientQuarantined', []]);
  });

  it('takes no effect outside select', async () => {
    const { world, added, written, compare } = await start(
      [block(API, 'ClientQuarantined')],
      [recordOf(WEB)],
    );
    world.setMapping({ ...world.mapping, select: createSelection({ clients: ['other'] }) });
    await compare();
    expect([world.clientBlock(WEB), added, written]).toEqual([undefined, [], []]);
  });

  it('shows in a command that reads both sides, and only if the store has not ended it', async () => {
    const { deps, world, written, added } = await start(
      [block(API, 'Released')],
      [recordOf(WEB), recordOf(API)],
    );
    await showQuarantines(deps, SIGNAL);
    expect([world.clientBlock(WEB), world.clientBlock(API)]).toEqual(['ClientQuarantined', undefined]);
    const { journal: _, ...alone } = deps;
    await showQuarantines(alone, SIGNAL);
    expect(world.clientBlock(API)).toBe('ClientQuarantined');
    expect([written, added]).toEqual([[], []]);
  });
});

describe('the records in Consul', () => {
  it('are made equal to the store, and nothing that is equal is written or queued', async () => {
    const { written, added, metered, messages, compare } = await start(
      [block(WEB, 'ClientQuarantined'), block(API, 'Released')],
      [recordOf(WEB, LATER), recordOf(API)],
    );
    await compare();
    expect(written).toEqual([
      { do: 'put', record: recordOf(WEB) },
      { do: 'delete', record: API },
    ]);
    expect(added).toEqual([]);
    expect(metered).toEqual([['scopemesh_quarantines_unrecorded', 0]]);
    // Whether this record was ever written is not known.
    expect(messages()).toEqual([]);
  });

  it('are written again, with a warning, if this process has seen them before', async () => {
    const { kv, written, metered, logged, compare } = await start(
      [block(WEB, 'ClientQuarantined'), block(API, 'ClientQuarantined')],
      [recordOf(WEB)],
    );
    await compare();
    expect(written).toEqual([{ do: 'put', record: recordOf(API) }]);
    expect(logged).toEqual([]);
    kv.records = [];
    await compare();
    const message = 'somebody else changed or deleted a quarantine in Consul; it is written again';
    expect(logged).toEqual([
      { ...WEB, message },
      { ...API, message },
    ]);
    expect(written.slice(1)).toEqual([
      { do: 'put', record: recordOf(WEB) },
      { do: 'put', record: recordOf(API) },
    ]);
    expect(metered.filter((each) => each === 'scopemesh_quarantine_records_repaired_total')).toHaveLength(2);
  });

  it('that Consul refuses change nothing about the quarantine, are counted, and are tried again', async () => {
    const { deps, world, kv, written, metered, logged, compare } = await start([
      block(WEB, 'ClientQuarantined'),
      block(API, 'ClientQuarantined'),
    ]);
    world.setClientBlock(WEB, 'ClientQuarantined');
    kv.answer = ({ record }) =>
      record.clientId === 'web' ? { kind: 'refused', detail: 'no permission' } : undefined;
    await compare();
    expect([...world.quarantineWrites.failed]).toEqual([
      [clientText(WEB), 'put'],
      [clientText(API), 'put'],
    ]);
    const message =
      'quarantines could not be written to Consul; the store of scopemesh has them, and the next comparison tries again';
    expect(logged).toEqual([{ clients: 2, error: 'no permission', message }]);
    kv.answer = () => undefined;
    await writeQuarantine(WEB, deps, SIGNAL);
    expect(logged.at(-1)).toEqual({ clients: 1, error: 'no answer', message });
    kv.write = () => Promise.reject(new SyncError('ERR_CONSUL_UNREACHABLE', 'away', { retriable: true }));
    await compare();
    expect(logged.at(-1)).toEqual({ clients: 2, error: 'away', message });
    expect(metered).toEqual([2, 2, 2].map((failed) => ['scopemesh_quarantines_unrecorded', failed]));
    expect(world.clientBlock(WEB)).toBe('ClientQuarantined');
    kv.write = async (writes) => writes.map(() => ({ kind: 'written' as const }));
    await compare();
    expect(world.quarantineWrites.failed.size).toBe(0);
    expect(written).toHaveLength(3);
    // Nobody else changed what never was there.
    expect(logged).toHaveLength(3);
  });

  it('are written by no process that stops, or whose own code fails', async () => {
    const { kv, compare } = await start([block(WEB, 'ClientQuarantined')]);
    kv.write = () => Promise.reject(new TypeError('a fault'));
    await expect(compare()).rejects.toThrow('a fault');
  });

  it('are written in no mode that writes nothing', async () => {
    const { world, written, compare } = await start([block(WEB, 'ClientQuarantined')]);
    world.setMapping({ ...world.mapping, mode: 'observe' });
    await compare();
    expect(written).toEqual([]);
  });

  it('of one client follow the store right after its change', async () => {
    const { deps, written } = await start([block(API, 'Released'), block(WEB, 'ClientQuarantined')]);
    for (const id of [WEB, API, { provider: 'main', clientId: 'nobody' }])
      await writeQuarantine(id, deps, SIGNAL);
    expect(written).toEqual([
      { do: 'put', record: recordOf(WEB) },
      { do: 'delete', record: API },
    ]);
  });

  it.each([
    ['ERR_CONSUL_DENIED', true],
    ['ERR_CONSUL_INCOMPLETE', false],
  ] as const)('that the token may not read (%s) leave the store alone to count', async (code, retriable) => {
    const denied = new SyncError(code, 'not allowed', { retriable });
    const old = block(API, 'Released', instant(NOW - 40 * DAY));
    const { deps, written, logged, compare } = await start([block(WEB, 'ClientQuarantined'), old], denied);
    await compare();
    expect(written).toEqual([{ do: 'put', record: recordOf(WEB) }]);
    expect(logged).toEqual([
      {
        error: 'not allowed',
        message:
          'the ACL token may not read the quarantines in Consul, so only the store of scopemesh knows them',
      },
    ]);
    // A record of it may still be there.
    expect(await storedBlocks(deps)).toHaveLength(2);
  });

  it.each([
    ['ERR_CONSUL_UNREACHABLE', true],
    ['ERR_CONSUL_INCOMPLETE', true],
    ['ERR_CONSUL_REJECTED', false],
  ] as const)('that cannot be read now (%s) change nothing', async (code, retriable) => {
    const error = new SyncError(code, 'away', { retriable });
    const { written, compare } = await start([block(WEB, 'ClientQuarantined')], error);
    await expect(compare()).rejects.toBe(error);
    expect(written).toEqual([]);
  });
});

it('a release is remembered for thirty days, and as long as its record may come back', async () => {
  const release = block(WEB, 'Released', instant(NOW));
  for (const [days, records, left] of [
    [30, [], ['web', 'api']],
    [31, [recordOf(WEB)], ['web', 'api']],
    [31, [recordOf(API)], ['api']],
  ] as const) {
    const { deps, compare } = await start(
      [release, block(API, 'ClientQuarantined')],
      records,
      NOW + days * DAY,
    );
    await compare();
    expect((await storedBlocks(deps)).map(({ clientId }) => clientId)).toEqual(left);
  }
});
