import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'bullmq';
import { afterEach, describe, expect, it } from 'vitest';
import type { Decision } from '../../src/model/decision.js';
import { type KafkaHandle, startKafka } from '../stack/kafka.js';
import { createRunDirectory, removeRunDirectory, until } from '../stack/process.js';
import { createDecisionReader } from '../support/decision-reader.js';
import { faultsOf } from '../support/decisions.js';
import { type FormerWorld, put, startFormerWorld, tell } from '../support/former-state/former-world.js';
import {
  dumpFile,
  restoreConsul,
  restoreFile,
  restoreRedis,
  type StoredState,
} from '../support/former-state/stored-state.js';
import { edgesOfConsul } from './crash-world.js';
import { openDecisionTopic } from './decision-topic.js';
import { BUILT, type Scopemesh } from './scopemesh.js';

/*
 * The present release on what a former one left: its store, its Consul, and its last moment. It was killed with a write on
 * its way that never arrived (svc-4 gains d-1), and with an accepted event that it had not looked at (svc-5 loses d-1).
 * test/fixtures/former-state/README.md says more.
 */
const TOPIC = 'scopemesh.decisions';
const READ = 'GET /';
const AFTER = new Map(
  [
    'd-0/svc-0',
    'd-0/svc-4',
    'd-0/svc-6',
    'd-0/svc-8',
    'd-1/svc-1',
    'd-1/svc-3',
    'd-1/svc-4',
    'd-1/svc-7',
    'd-1/svc-9',
  ].map((edge) => [edge, READ] as const),
);

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const one of stops.splice(0).reverse()) await one().catch(() => {});
});

async function restored(kind: 'embedded' | 'bullmq') {
  const file = new URL(`../fixtures/former-state/${kind}.json`, import.meta.url);
  const state: StoredState = JSON.parse(await readFile(file, 'utf8'));
  const world = await startFormerWorld(kind);
  stops.push(() => world.stop());
  // Consul's record of the quarantine is left out where the files alone must keep it.
  await restoreConsul(world.consul, kind === 'embedded' ? { ...state, keyValues: [] } : state);
  put(world.idp, 4, ['d-0:read', 'd-1:read']);
  put(world.idp, 5, []);
  return { world, state };
}

/** What must hold after the first start, whatever the store is. `all`: the decisions of both releases. */
async function expectGoneOn(
  world: FormerWorld,
  daemon: Scopemesh,
  all: readonly Decision[],
  old: ReadonlySet<string>,
) {
  expect(await edgesOfConsul(world)).toEqual(AFTER);
  const fresh = all.filter(({ id }) => !old.has(id)).filter(({ resource }) => resource.kind === 'intention');
  const texts = fresh.map(({ subject, outcome, reason, cause }) =>
    [subject.split('/').slice(-2).join('/'), outcome, reason, cause.kind].join(' '),
  );
  expect(texts.toSorted()).toEqual([
    'd-1/svc-4 applied ScopeGranted webhook',
    // The entry has another index in this Consul than the record of the write: so nothing says what became of it.
    'd-1/svc-4 unknown Interrupted webhook',
    'd-1/svc-5 applied ScopeRevoked webhook',
  ]);
  expect(faultsOf(all)).toEqual([]);
  const { holds, parked } = await daemon.status();
  expect(parked).toEqual([]);
  expect(
    holds.map(({ subject, reason }) => `${subject.split('/').slice(-2).join('/')} ${reason}`).sort(),
  ).toEqual(['d-0/svc-2 ClientQuarantined', 'vault/svc-3 ProtectedDestination']);
  const written = world.way
    .accepted()
    .map(({ method, path, body }) => [method, path.split('?')[0], JSON.parse(body).Name]);
  expect(new Set(written.map(String))).toEqual(new Set(['PUT,/v1/config,d-1']));
  expect(written.length).toBeLessThanOrEqual(2);
  const answer = await fetch(`${daemon.address}/statusz`);
  expect(await answer.json()).toMatchObject({ leader: true, leading: { epoch: 1 } });
}

describe('the state of a release before the lease', () => {
  it('continues from files, changes only unfinished writes, and extends the chain', async () => {
    const { world, state } = await restored('embedded');
    const directory = await createRunDirectory('former');
    stops.push(() => removeRunDirectory(directory));
    for (const [name, statements] of Object.entries(state.files ?? {}))
      restoreFile(join(directory, name), statements);
    const log = createDecisionReader(directory);
    stops.push(() => log.close());
    const old = new Set((await log.read()).map(({ id }) => id));
    const daemon = await world.start(BUILT, { kind: 'embedded' }, directory);
    await daemon.ready();
    await until('both changes are made', async () => (await edgesOfConsul(world)).has('d-1/svc-4'));
    await daemon.idle();
    await expectGoneOn(world, daemon, await log.read(), old);
    expect(await daemon.stop()).toBe(0);
    const former = dumpFile(join(directory, 'queue.db')).filter((each) => / facts\b/.test(each));
    const facts = dumpFile(join(directory, 'journal.db')).filter((each) =>
      each.startsWith('INSERT INTO facts'),
    );
    expect(former).toEqual([]);
    expect(facts).toContainEqual(expect.stringMatching(/'orders\/closures'.*svc-2-app.*ClientQuarantined/));
    const key = join(directory, 'former.pub');
    await writeFile(key, state.publicKey ?? '');
    const verify = [
      '-c',
      daemon.configFile,
      'decisions',
      'verify',
      '--key',
      key,
      join(directory, 'trail-key.pub'),
    ];
    const { stdout } = await promisify(execFile)(process.execPath, [BUILT, ...verify]);
    expect(stdout).toContain('is intact');
  });

  it('continues from Redis, and publishes the decisions that wait there', async () => {
    const [{ world, state }, kafka] = await Promise.all([restored('bullmq'), startTopic()]);
    await restoreRedis(world.redis?.url ?? '', state.redis ?? []);
    const old = new Set(idsInOutbox(state));
    const topic = openDecisionTopic(kafka.broker, TOPIC);
    const daemon = await world.start(BUILT, { kind: 'kafka', brokers: [kafka.broker], topic: TOPIC });
    await daemon.ready();
    await until('both changes are made', async () => (await edgesOfConsul(world)).has('d-1/svc-4'));
    await daemon.idle();
    const published = async () => {
      const ids = new Set((await topic.read()).map(({ id }) => id));
      // Besides those of the former release: two changes, the write that a crash left, and the comparison at the start.
      return [...old].every((id) => ids.has(id)) && ids.size === old.size + 4;
    };
    expect(old.size).toBe(17);
    await until('all decisions are published', published);
    expect(await topic.faults()).toEqual([]);
    await expectGoneOn(world, daemon, await topic.read(), old);
  });
});

describe('a release before the lease that still works on the Redis', () => {
  it('is waited for: this one takes events and writes nothing, and leads once that one has stopped', async () => {
    const { world, state } = await restored('bullmq');
    const url = world.redis?.url ?? '';
    await restoreRedis(url, state.redis ?? []);
    // What Redis sees of that release.
    const former = new Worker('jobs', null, { prefix: 'scopemesh:demo', connection: { url } });
    former.on('error', () => {});
    stops.push(() => former.close(true));
    const nothing = former.getNextJob('token', { block: true });
    nothing.catch(() => {});
    const daemon = await world.start(BUILT, { kind: 'kafka', brokers: ['127.0.0.1:9'], topic: 'none' });
    await until('it is ready', async () => (await fetch(`${daemon.address}/readyz`)).status === 200);
    await tell(world, daemon, 'client.updated', 4);
    await until('it says why it waits', async () =>
      (await daemon.log()).includes('a release before the lease'),
    );
    expect(world.way.writes).toEqual([]);
    await former.close(true);
    await until('both changes are made', async () => (await edgesOfConsul(world)).has('d-1/svc-4'));
    expect(await edgesOfConsul(world)).toEqual(AFTER);
  });
});

/** Settled and not published. */
function idsInOutbox({ redis = [] }: StoredState): readonly string[] {
  const outbox = redis.find(({ name }) => name.endsWith(':outbox'));
  return outbox?.values.filter((_, at) => at % 2 === 0) ?? [];
}

async function startTopic(): Promise<KafkaHandle> {
  const kafka = await startKafka();
  stops.push(() => kafka.stop());
  await kafka.createTopic(TOPIC, 3);
  return kafka;
}
