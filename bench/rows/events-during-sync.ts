import { until } from '../../test/stack/process.js';
import type { Daemon } from '../support/product.js';
import { type Bench, LIMIT, OURS, type Row, type Sample } from '../support/row.js';
import { openScene, type Scene } from '../support/scene.js';
import { quantile } from '../support/statistics.js';
import { seenAt } from '../support/watch-entry.js';
import { ringWorld, scopeFor, serviceName, type World } from '../support/world.js';
import { startWriteClock } from '../support/write-clock.js';

const DESTINATIONS = 2_000;
const EVENTS = 400;
/** Edges that exist before the sync; one of them is revoked. */
const SETTLED = 20;

/** Events one after the other while a first sync runs, with a revocation in their middle. */
export const eventsDuringSync: Row = {
  name: 'events-during-sync',
  title: '400 signed events one after the other while 2,000 destinations are being written',
  limit: 'the same, idle',
  needs: ['consul'],
  figures: [
    { id: 'p50', label: 'until acknowledged, p50', unit: 'ms', targets: [{ atMost: 8 }] },
    { id: 'p99', label: 'until acknowledged, p99', unit: 'ms', targets: [{ atMost: 50 }] },
    { id: 'revocation', label: 'a revocation among them, until Consul shows it', unit: 'ms' },
    { id: 'during', label: 'events sent before the last destination was written', unit: '' },
  ],
  async open(bench) {
    const sizes = { destinations: bench.scaled(DESTINATIONS, 100), events: bench.scaled(EVENTS, 40) };
    return {
      contestants: new Map([
        [OURS, () => measure(sizes, true, bench)],
        [LIMIT, () => measure(sizes, false, bench)],
      ]),
      close: async () => {},
    };
  },
};

interface Sizes {
  readonly destinations: number;
  readonly events: number;
}

async function measure(sizes: Sizes, isBusy: boolean, bench: Bench): Promise<Sample> {
  const world = ringWorld(sizes.destinations, 1);
  const scene = await openScene(world);
  try {
    // At first the directory knows a few grants alone, so that what is revoked later exists.
    scene.idp.put(...world.clients.map((client, at) => (at < SETTLED ? client : { ...client, scopes: [] })));
    await scene.command('apply', '--yes');
    scene.idp.put(...world.clients);
    const clock = await startWriteClock(scene.consul);
    const daemon = await scene.startDaemon();
    if (isBusy) {
      const waiting = { timeoutMs: 120_000, intervalMs: 2, process: daemon.process };
      await until('the first write', () => clock.hasBegun, waiting);
    } else {
      await daemon.ready();
      await daemon.idle();
    }
    bench.progress(
      `events-during-sync: sends ${sizes.events} events, ${isBusy ? 'writes going on' : 'idle'}`,
    );
    const { acknowledged, sentAt, revocation } = await sendEvents(scene, daemon, world, sizes);
    const figures = { p50: quantile(acknowledged, 0.5), p99: quantile(acknowledged, 0.99), revocation };
    await daemon.ready();
    await daemon.idle();
    const { lastCreatedAt } = await clock.stop();
    return isBusy ? { ...figures, during: sentAt.filter((at) => at < lastCreatedAt).length } : figures;
  } finally {
    await scene.close();
  }
}

/** Each event gives another client one more scope; the one in the middle takes a grant away. */
async function sendEvents(scene: Scene, daemon: Daemon, { clients }: World, { events }: Sizes) {
  const acknowledged: number[] = [];
  const sentAt: number[] = [];
  let revocation: Promise<number> | undefined;
  const others = clients.slice(SETTLED);
  for (let index = 0; index < events; index++) {
    if (index === events >> 1) {
      revocation = revoke(scene, daemon);
      revocation.catch(() => {});
    }
    const client = others[index % others.length];
    if (client === undefined) throw new Error('the world is too small');
    const extra = serviceName((SETTLED + index + 7) % clients.length);
    scene.idp.change(client.clientId, { scopes: [...client.scopes, scopeFor(extra)] });
    sentAt.push(performance.now());
    acknowledged.push(await scene.send(daemon, scene.idp.sign('client.updated', client.clientId)));
  }
  return { acknowledged, sentAt, revocation: (await revocation) ?? Number.NaN };
}

/** Milliseconds until Consul no longer shows the edge of a client that lost its grant. */
async function revoke({ consul, idp, ...scene }: Scene, daemon: Daemon): Promise<number> {
  const [source, destination] = [serviceName(0), serviceName(1)];
  const clientId = `${source}-app`;
  idp.change(clientId, { scopes: [] });
  const begun = performance.now();
  const gone = seenAt(consul, destination, (sources) => !sources.has(source));
  await scene.send(daemon, idp.sign('client.updated', clientId));
  return (await gone) - begun;
}
