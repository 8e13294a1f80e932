import { startKafka } from '../../test/stack/kafka.js';
import { signingKeyFile } from '../../test/stack/key-file.js';
import { until } from '../../test/stack/process.js';
import { startRedis } from '../../test/stack/redis.js';
import { inParallel } from '../support/consul.js';
import type { Daemon } from '../support/product.js';
import { type Bench, OURS, type Row, type Sample } from '../support/row.js';
import { openScene, type Scene } from '../support/scene.js';
import { quantile } from '../support/statistics.js';
import { ringWorld, scopeFor, serviceName, type World } from '../support/world.js';
import { DESTINATIONS, toggleMany } from './one-event.js';

const STANDBYS = 2;
const EVENTS = 200;
const BURST = 10_000;
const SENDERS = 32;
const ALONE = 'the leader alone';
const TOPIC = 'decisions';

/** What standbys cost the leader, all on one machine. */
export const replicas: Row = {
  name: 'replicas',
  title: 'one event, and 10,000 in a burst, to a leader with two standbys, as a multiple of the leader alone',
  needs: ['consul', 'redis', 'kafka'],
  figures: [
    { id: 'p50', label: 'one event, p50', unit: 'ms', targets: [{ against: ALONE, atMost: 1.05 }] },
    { id: 'p99', label: 'one event, p99', unit: 'ms' },
    {
      id: 'rate',
      label: 'events, first sent until idle',
      unit: '/s',
      targets: [{ against: ALONE, atLeast: 0.95 }],
    },
    {
      id: 'cpu',
      label: 'CPU of the leader meanwhile',
      unit: 's',
      targets: [{ against: ALONE, atMost: 1.05 }],
    },
    { id: 'standbyCpu', label: 'CPU of one standby meanwhile', unit: 's' },
  ],
  open: async (bench) => ({
    contestants: new Map([
      [OURS, () => measure(STANDBYS, bench)],
      [ALONE, () => measure(0, bench)],
    ]),
    close: async () => {},
  }),
};

async function measure(standbys: number, bench: Bench): Promise<Sample> {
  const world = ringWorld(DESTINATIONS, 1);
  const servers: { stop(): Promise<void> }[] = [];
  try {
    const redis = await startRedis();
    servers.push(redis);
    const kafka = await startKafka();
    servers.push(kafka);
    await kafka.createTopic(TOPIC, 6);
    const scene = await openScene(world, {
      file: {
        queue: { kind: 'bullmq', url: redis.url },
        decisions: { kind: 'kafka', brokers: [kafka.broker], topic: TOPIC, signingKeyFile: signingKeyFile() },
      },
    });
    servers.push({ stop: () => scene.close() });
    await scene.command('apply', '--yes');
    const leader = await scene.startDaemon();
    await leader.ready();
    const others: Daemon[] = [];
    for (let at = 0; at < standbys; at++) others.push(await scene.startReplica());
    // A standby compares nothing, so it is ready as soon as it takes events.
    for (const { address, process } of others)
      await until('a standby takes events', async () => (await fetch(`${address}/readyz`)).ok, { process });
    await leader.idle();
    const before = await Promise.all([leader, ...others].map((each) => each.cpuSeconds()));
    bench.progress(`replicas: events to a leader with ${standbys} standbys`);
    const took = await toggleMany(scene, leader, bench.scaled(EVENTS, 40));
    const rate = await burst(scene, leader, world, bench.scaled(BURST, 500));
    const after = await Promise.all([leader, ...others].map((each) => each.cpuSeconds()));
    const [cpu, standbyCpu] = after.map((each, at) => (each ?? Number.NaN) - (before[at] ?? Number.NaN));
    return {
      p50: quantile(took, 0.5),
      p99: quantile(took, 0.99),
      rate,
      ...(cpu === undefined || Number.isNaN(cpu) ? {} : { cpu }),
      ...(standbyCpu === undefined || Number.isNaN(standbyCpu) ? {} : { standbyCpu }),
    };
  } finally {
    for (const server of servers.reverse()) await server.stop();
  }
}

/** Each event gives its client one more scope or takes it again. Events a second, until nothing is left to do. */
async function burst(scene: Scene, leader: Daemon, { clients }: World, events: number): Promise<number> {
  const begun = performance.now();
  await inParallel(SENDERS, events, async (at) => {
    const client = clients[at % clients.length];
    if (client === undefined) throw new Error('the world is empty');
    const isGrant = Math.floor(at / clients.length) % 2 === 0;
    const extra = scopeFor(serviceName((at + 7) % clients.length));
    scene.idp.change(client.clientId, { scopes: [...client.scopes, ...(isGrant ? [extra] : [])] });
    await scene.send(leader, scene.idp.sign('client.updated', client.clientId));
  });
  await leader.idle();
  return events / ((performance.now() - begun) / 1000);
}
