import { randomUUID } from 'node:crypto';
import { startKafka } from '../../test/stack/kafka.js';
import { signingKeyFile } from '../../test/stack/key-file.js';
import { until } from '../../test/stack/process.js';
import { startRedis } from '../../test/stack/redis.js';
import { byConsulConfigWrite, byCurl, bySequentialScript } from '../support/alternatives.js';
import { rawWritesPerSecond } from '../support/raw-writes.js';
import { type Bench, type Figure, LIMIT, OURS, type Row, type Sample } from '../support/row.js';
import { openScene, type Scene, type SceneOptions } from '../support/scene.js';
import { ringWorld, type World } from '../support/world.js';
import { startWriteClock } from '../support/write-clock.js';

type Way = 'apply' | 'run' | 'run-redis' | 'run-kafka';

const WORDS: Readonly<Record<Way, string>> = {
  apply: 'by apply',
  run: 'by run with the embedded store',
  'run-redis': 'by run with Redis',
  'run-kafka': 'by run with Redis and Kafka',
};

const OTHERS = {
  'consul config write': byConsulConfigWrite,
  curl: byCurl,
  'sequential script': bySequentialScript,
};

export const firstSyncRows: readonly Row[] = [
  row('apply', 2_000, true),
  row('apply', 10_000, false),
  row('run', 2_000, false),
  row('run', 10_000, false),
  row('run-redis', 2_000, false),
  row('run-redis', 10_000, false),
  row('run-kafka', 2_000, false),
];

function row(way: Way, size: number, withOthers: boolean): Row {
  const rate: Figure = {
    id: 'rate',
    label: 'entries, first to last write',
    unit: '/s',
    targets: [
      { against: LIMIT, atLeast: way === 'apply' ? 0.6 : 0.5 },
      ...(withOthers
        ? [
            { against: 'consul config write', atLeast: 40 },
            { against: 'curl', atLeast: 8 },
          ]
        : []),
    ],
  };
  return {
    name: `${way}-${size}`,
    title: `first sync of ${size.toLocaleString('en-US')} destinations ${WORDS[way]}`,
    limit: 'bare PUTs',
    needs: [
      'consul',
      ...(way === 'run-redis' || way === 'run-kafka' ? (['redis'] as const) : []),
      ...(way === 'run-kafka' ? (['kafka'] as const) : []),
    ],
    figures: [
      rate,
      { id: 'firstWrite', label: 'start to first write', unit: 's' },
      { id: 'total', label: 'start to last write', unit: 's' },
    ],
    async open(bench) {
      const world = ringWorld(bench.scaled(size), bench.sources);
      const contestants = new Map<string, () => Promise<Sample>>([
        [OURS, () => firstSync(way, world, bench)],
        [LIMIT, async () => ({ rate: await rawWritesPerSecond(world) })],
      ]);
      if (withOthers)
        for (const [name, measure] of Object.entries(OTHERS))
          contestants.set(name, async () => ({ rate: await measure(world) }));
      return { contestants, close: async () => {} };
    },
  };
}

async function firstSync(way: Way, world: World, bench: Bench): Promise<Sample> {
  const servers: { stop(): Promise<void> }[] = [];
  try {
    const file: Record<string, unknown> = {};
    if (way === 'run-redis' || way === 'run-kafka') {
      const redis = await startRedis();
      servers.push(redis);
      file.queue = { kind: 'bullmq', url: redis.url };
    }
    if (way === 'run-kafka') {
      const kafka = await startKafka();
      servers.push(kafka);
      const topic = `decisions-${randomUUID()}`;
      await kafka.createTopic(topic, 6);
      file.decisions = { kind: 'kafka', brokers: [kafka.broker], topic, signingKeyFile: signingKeyFile() };
    }
    const scene = await openScene(world, { file } satisfies SceneOptions);
    servers.push({ stop: () => scene.close() });
    return await (way === 'apply' ? byApply(scene, world) : byRun(scene, world, bench));
  } finally {
    for (const server of servers.reverse()) await server.stop();
  }
}

async function byApply(scene: Scene, { services }: World): Promise<Sample> {
  const clock = await startWriteClock(scene.consul);
  const begun = performance.now();
  await scene.command('apply', '--yes');
  const writes = await clock.stop();
  expectAll(writes.entries, services.length);
  return {
    rate: writes.perSecond,
    firstWrite: (writes.firstAt - begun) / 1000,
    total: (writes.lastAt - begun) / 1000,
  };
}

async function byRun(scene: Scene, { services }: World, bench: Bench): Promise<Sample> {
  const clock = await startWriteClock(scene.consul);
  const begun = performance.now();
  const daemon = await scene.startDaemon();
  // The list is heavy, so it is read only once no write has been seen for a while.
  let last = 0;
  const isComplete = async () => {
    const isQuiet = clock.seen.index === last && performance.now() - clock.seen.at > 1_000;
    last = clock.seen.index;
    return isQuiet && (await scene.consul.entries()).length >= services.length;
  };
  const waiting = { timeoutMs: 1_800_000, intervalMs: 250, process: daemon.process };
  await until('every destination is written', isComplete, waiting).catch((error: unknown) => {
    bench.progress(`the daemon's log is in ${daemon.process.logFile}`);
    throw error;
  });
  const writes = await clock.stop();
  return {
    rate: writes.perSecond,
    firstWrite: (writes.firstAt - begun) / 1000,
    total: (writes.lastAt - begun) / 1000,
  };
}

function expectAll(written: number, expected: number): void {
  if (written !== expected) throw new Error(`${written} of ${expected} destinations were written`);
}
