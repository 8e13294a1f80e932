// Makes the fixture of test/e2e/upgrade.test.ts: `npx tsx test/support/former-state/make.ts CHECKOUT RELEASE`, where CHECKOUT
// is a built checkout of the former release, which RELEASE names. test/fixtures/former-state/README.md says what is in it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { edgesOfConsul } from '../../e2e/crash-world.js';
import { until } from '../../stack/process.js';
import { type FormerWorld, put, type StoreKind, startFormerWorld, tell } from './former-world.js';
import { dumpConsul, dumpFile, dumpRedis, type StoredState } from './stored-state.js';

const [checkout, release] = process.argv.slice(2);
if (checkout === undefined || release === undefined) throw new Error('usage: make.ts CHECKOUT RELEASE');
const FIXTURES = new URL('../../fixtures/former-state/', import.meta.url);
const FILES = ['queue.db', 'journal.db', 'decisions.db'];
/** Nobody listens there, so that settled decisions stay in Redis. */
const NO_TOPIC = { kind: 'kafka', brokers: ['127.0.0.1:9'], topic: 'none' };

for (const kind of ['embedded', 'bullmq'] as const) {
  const state = await make(kind, join(checkout, 'dist/workers/main.js'), release);
  await writeFile(new URL(`${kind}.json`, FIXTURES), `${JSON.stringify(state, null, 2)}\n`);
}
process.exit(0);

async function make(kind: StoreKind, program: string, release: string): Promise<StoredState> {
  const world = await startFormerWorld(kind);
  const { consul, idp, way, redis } = world;
  const isOpen = async (edge: string) => (await edgesOfConsul(world)).has(edge);
  try {
    const daemon = await world.start(program, kind === 'embedded' ? { kind } : NO_TOPIC);
    await daemon.ready();
    await until('all are open', async () => (await edgesOfConsul(world)).size === 10);
    put(idp, 1, []);
    await tell(world, daemon, 'client.updated', 1);
    await until('svc-1 is closed', async () => !(await isOpen('d-1/svc-1')));
    put(idp, 1, ['d-1:read']);
    await tell(world, daemon, 'client.updated', 1);
    await until('svc-1 is open again', () => isOpen('d-1/svc-1'));
    await tell(world, daemon, 'client.secret-compromised', 2);
    await until('svc-2 is closed', async () => !(await isOpen('d-0/svc-2')));
    if (kind === 'embedded') await daemon.idle();
    await until('the jobs are done', async () => {
      const { queue } = await daemon.status();
      return queue.waiting + queue.delayed + queue.active === 0;
    });
    await interrupt(world, daemon);
    const publicKey = join(daemon.stateDirectory, 'trail-key.pub');
    return {
      release,
      ...(await dumpConsul(consul)),
      ...(redis === undefined
        ? {
            files: Object.fromEntries(
              FILES.map((name) => [name, dumpFile(join(daemon.stateDirectory, name))]),
            ),
            publicKey: await readFile(publicKey, 'utf8'),
          }
        : { redis: await dumpRedis(redis.url) }),
    };
  } finally {
    way.interfere = () => undefined;
    await world.stop();
  }
}

/** A write that never arrives at Consul, a revocation that is accepted behind it, and a crash. */
async function interrupt(
  world: FormerWorld,
  daemon: Awaited<ReturnType<FormerWorld['start']>>,
): Promise<void> {
  const { idp, way } = world;
  way.lose();
  const arrived = way.next('arrived');
  put(idp, 4, ['d-0:read', 'd-1:read']);
  await tell(world, daemon, 'client.updated', 4);
  await arrived;
  put(idp, 5, []);
  await tell(world, daemon, 'client.updated', 5);
  await daemon.kill();
}
