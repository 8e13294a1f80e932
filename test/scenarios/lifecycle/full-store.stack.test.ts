import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { startRedis } from '../../stack/redis.js';
import { clientOf, createRig, type Daemon, type Rig } from '../../support/daemon.js';
import { createDecisionReader, type DecisionReader } from '../../support/decision-reader.js';
import { mountSmallDisk } from '../../support/small-disk.js';
import { until } from '../../support/until.js';

/** What is full, and can be emptied again. */
interface Store {
  readonly file: Readonly<Record<string, unknown>>;
  readonly directory?: string;
  /** Leaves no room, whatever was freed since the last call. */
  fill(): void | Promise<void>;
  free(): void | Promise<void>;
  close(): void | Promise<void>;
}

const NAMES = Array.from({ length: 40 }, (_, at) => `svc-${String(at).padStart(2, '0')}`);
const [LATE = '', ...LOSING] = NAMES;

let store: Store;
let rig: Rig;
let daemon: Daemon;
let log: DecisionReader;
afterEach(async () => {
  await rig.close();
  await log.close();
  await store.close();
});

async function running(opened: Store): Promise<void> {
  store = opened;
  rig = await createRig({
    clients: NAMES.map((name) => clientOf(name, ...(name === LATE ? [] : ['orders:read']))),
    file: opened.file,
    prepare: ({ mesh }) => mesh.speaks('orders', 'http'),
  });
  log = createDecisionReader(opened.directory ?? rig.directory);
  await Promise.all(NAMES.map((name) => rig.mesh.register(name, { client: `${name}-app` })));
  daemon = await rig.start();
  await until('all edges', async () => (await daemon.status()).ownedEdges === LOSING.length);
  await until('a reserve', async () => (await reserved()) > 0);
  await daemon.idle();
}

const reserved = async () => (await daemon.metric('scopemesh_store_reserve_bytes')) ?? 0;
const isLow = async () => (await daemon.metric('scopemesh_store_low')) === 1;
const sources = async () => Object.keys((await rig.mesh.access('orders')) ?? {});

async function revoke(name: string): Promise<number> {
  rig.idp.put(`${name}-app`);
  return daemon.send({ type: 'client.updated', data: { clientId: `${name}-app` } });
}

async function closesWhileFull(): Promise<void> {
  const whole = await reserved();
  await store.fill();
  const waits: number[] = [];
  for (const name of LOSING) {
    const begun = performance.now();
    expect(await revoke(name)).toBe(202);
    await until(`the edge of ${name} to close`, async () => !(await sources()).includes(name));
    waits.push(performance.now() - begun);
  }
  expect(await isLow()).toBe(true);
  expect(await reserved()).toBeLessThan(whole);
  expect(Math.max(...waits)).toBeLessThan(2_000);
  rig.idp.put(`${LATE}-app`, 'orders:read');
  expect(await daemon.send({ type: 'client.updated', data: { clientId: `${LATE}-app` } })).toBe(202);
  await until('the event to be worked on', async () => {
    const { queue } = await daemon.status();
    return queue.waiting + queue.active + queue.delayed === 0;
  });
  expect(await sources()).toEqual([]);
}

async function goesOnWithRoom(): Promise<void> {
  await store.free();
  rig.clock.advance(6_000);
  await until('the grant that waited', async () => (await sources()).includes(LATE));
  expect(await isLow()).toBe(false);
  await daemon.idle();
  const decisions = await log.read();
  const closed = decisions.filter(({ action, outcome }) => action === 'revoke' && outcome === 'applied');
  expect(closed.map(({ client }) => client?.clientId).sort()).toEqual(LOSING.map((name) => `${name}-app`));
  expect(new Set(decisions.map(({ id }) => id)).size).toBe(decisions.length);
  expect(decisions.filter(({ outcome }) => outcome === 'failed' || outcome === 'unknown')).toEqual([]);
}

const disk = mountSmallDisk(48);
disk?.close();

describe.skipIf(disk === undefined)('a full disk', () => {
  const onSmallDisk = (): Store => {
    const small = mountSmallDisk(48);
    if (small === undefined) throw new Error('no small disk');
    const { directory } = small;
    return { ...small, file: { state: { directory } } };
  };

  it('closes what is revoked, lets grants wait, and goes on by itself when there is space', async () => {
    await running(onSmallDisk());
    await closesWhileFull();
    await goesOnWithRoom();
  });

  it('keeps the decisions in the journal while the log cannot be appended, and closes all the same', async () => {
    await running(onSmallDisk());
    const before = (await log.read()).length;
    await closesWhileFull();
    expect((await daemon.status()).outboxDecisions).toBeGreaterThan(LOSING.length / 2);
    expect((await log.read()).length - before).toBeLessThan(LOSING.length / 2);
    await goesOnWithRoom();
  });

  it('answers 503 once nothing is left, and closes when there is space although the sender does not try again', async () => {
    await running(onSmallDisk());
    rmSync(join(store.directory ?? '', 'space.reserve'));
    await store.fill();
    let answer = 202;
    const refused: string[] = [];
    for (const name of LOSING) {
      answer = await revoke(name);
      if (answer === 503) refused.push(name);
    }
    expect(refused.length).toBeGreaterThan(10);
    await until('a daemon that refuses events', async () => {
      const ready = await daemon.get('/readyz');
      return ready.status === 503 && ready.text.includes('full');
    });
    await store.free();
    // What failed waits for its next try.
    await until('all edges to close', async () => {
      rig.clock.advance(6_000);
      return (await sources()).length === 0;
    });
    await until('a ready daemon', async () => (await daemon.get('/readyz')).status === 200);
    await daemon.idle();
    const revoked = (await log.read()).filter(({ action }) => action === 'revoke');
    const applied = revoked.filter(({ outcome }) => outcome === 'applied');
    expect(applied.map(({ cause }) => cause.kind)).toEqual(LOSING.map(() => 'webhook'));
  });

  it('starts while the disk is full, and closes what was revoked meanwhile', async () => {
    await running(onSmallDisk());
    await daemon.stop();
    await store.fill();
    for (const name of LOSING.slice(0, 5)) rig.idp.put(`${name}-app`);
    daemon = await rig.start();
    await until('five edges to close', async () => (await sources()).length === LOSING.length - 5);
    expect(await isLow()).toBe(true);
    await store.free();
    rig.clock.advance(6_000);
    await until('a whole reserve', async () => !(await isLow()));
  });
});

describe('a Redis without memory', () => {
  it('closes what is revoked, lets grants wait, and goes on by itself when there is memory', async () => {
    const redis = await startRedis({ args: ['--maxmemory', '96mb'] });
    const client = new Redis(redis.url);
    await running({
      file: { queue: { kind: 'bullmq', url: redis.url } },
      async fill() {
        for (let length = 4 * 1024 * 1024, at = 0; length >= 1; at++)
          await client.setrange(`filler:${at}`, length, '0').catch(() => {
            length = Math.floor(length / 2);
          });
      },
      async free() {
        const names = await client.keys('filler:*');
        await client.unlink(...names);
      },
      async close() {
        client.disconnect();
        await redis.stop();
      },
    });
    await closesWhileFull();
    await goesOnWithRoom();
  });
});
