import { countBetween, inParallel } from '../support/consul.js';
import { type Bench, LIMIT, OURS, type Row, type Sample } from '../support/row.js';
import { openScene, type Scene } from '../support/scene.js';
import { seenAt } from '../support/watch-entry.js';
import { clientOf, ringWorld, scopeFor, serviceName, type World } from '../support/world.js';

const SOURCES = 400;
const HUB = 'hub';
/** One client that several services claim. */
const SHARED = 'shared-app';
const SENDERS = 16;

/** One destination gains and loses many sources. */
export const fanIn: Row = {
  name: 'fan-in-400',
  title: '400 sources gained by one destination, by 400 events and by one; 400 lost by one event',
  limit: 'one bare PUT of all',
  needs: ['consul'],
  figures: [
    { id: 'gainWrites', label: 'gained by one event each: PUTs', unit: '', targets: [{ atMost: 40 }] },
    { id: 'gainSeconds', label: 'gained by one event each', unit: 's', targets: [{ atMost: 3 }] },
    { id: 'gainDecisions', label: 'gained by one event each: decisions', unit: '' },
    { id: 'sharedWrites', label: 'gained by one event: PUTs', unit: '' },
    { id: 'sharedSeconds', label: 'gained by one event', unit: 's' },
    { id: 'lossWrites', label: 'lost by one event: PUTs', unit: '' },
    { id: 'lossSeconds', label: 'lost by one event', unit: 's' },
    { id: 'lossDecisions', label: 'lost by one event: decisions', unit: '' },
  ],
  async open(bench) {
    const sources = bench.scaled(SOURCES, 20);
    return {
      contestants: new Map([
        [OURS, () => gainAndLose(sources, bench)],
        [LIMIT, () => bareWrite(sources)],
      ]),
      close: async () => {},
    };
  },
};

/** Services with a client each, as many that share one client, and the destination. None calls anything yet. */
function hubWorld(sources: number): World {
  const own = ringWorld(sources, 0);
  const shared = Array.from({ length: sources }, (_, index) => serviceName(sources + index));
  return {
    services: [
      ...own.services,
      ...shared.map((name) => ({ name, clientId: SHARED })),
      { name: HUB, clientId: `${HUB}-app` },
    ],
    clients: [...own.clients, clientOf(SHARED, shared, []), clientOf(`${HUB}-app`, [HUB], [])],
  };
}

async function gainAndLose(sources: number, bench: Bench): Promise<Sample> {
  const world = hubWorld(sources);
  const scene = await openScene(world);
  try {
    const daemon = await scene.startDaemon();
    await daemon.ready();
    await daemon.idle();
    const subject = `intention/default/default/${HUB}/`;
    const step = async (cause: () => Promise<unknown>, expected: number) => {
      const [requests, decisions] = [await scene.consul.requests(), await scene.countDecisions(subject)];
      const begun = performance.now();
      const seen = seenAt(scene.consul, HUB, (found) => found.size === expected);
      await Promise.all([cause(), seen]);
      const seconds = ((await seen) - begun) / 1000;
      await daemon.idle();
      const writes = countBetween(requests, await scene.consul.requests(), 'PUT v1_config');
      return { seconds, writes, decisions: (await scene.countDecisions(subject)) - decisions };
    };
    const send = (type: string, clientId: string) => scene.send(daemon, scene.idp.sign(type, clientId));
    const clients = world.clients.slice(0, sources).map(({ clientId }) => clientId);
    bench.progress('fan-in: gained by one event each');
    const gain = await step(async () => {
      scene.idp.put(...clients.map((clientId) => granted(scene, clientId)));
      await inParallel(SENDERS, clients.length, (at) => send('client.updated', clients[at] ?? ''));
    }, sources);
    bench.progress('fan-in: gained by one event');
    const shared = await step(async () => {
      scene.idp.put(granted(scene, SHARED));
      await send('client.updated', SHARED);
    }, 2 * sources);
    bench.progress('fan-in: lost by one event');
    const loss = await step(async () => {
      scene.idp.change(SHARED, { enabled: false });
      await send('client.disabled', SHARED);
    }, sources);
    return {
      gainWrites: gain.writes,
      gainSeconds: gain.seconds,
      gainDecisions: gain.decisions,
      sharedWrites: shared.writes,
      sharedSeconds: shared.seconds,
      lossWrites: loss.writes,
      lossSeconds: loss.seconds,
      lossDecisions: loss.decisions,
    };
  } finally {
    await scene.close();
  }
}

const granted = ({ idp }: Scene, clientId: string) => ({ ...idp.get(clientId), scopes: [scopeFor(HUB)] });

async function bareWrite(sources: number): Promise<Sample> {
  const scene = await openScene(hubWorld(sources));
  try {
    const entry = (count: number) => ({
      Kind: 'service-intentions',
      Name: HUB,
      Sources: Array.from({ length: count }, (_, index) => ({ Name: serviceName(index), Action: 'allow' })),
    });
    const write = async (count: number) => {
      const begun = performance.now();
      await scene.consul.send('PUT', '/v1/config', JSON.stringify(entry(count)));
      return (performance.now() - begun) / 1000;
    };
    const gainSeconds = await write(sources);
    const sharedSeconds = await write(2 * sources);
    return { gainSeconds, sharedSeconds, lossSeconds: await write(sources) };
  } finally {
    await scene.close();
  }
}
