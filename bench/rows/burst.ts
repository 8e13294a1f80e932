import { setTimeout as delay } from 'node:timers/promises';
import { inParallel } from '../support/consul.js';
import { type Bench, OURS, type Row, type Sample } from '../support/row.js';
import { openScene } from '../support/scene.js';
import { quantile } from '../support/statistics.js';
import { seenAt } from '../support/watch-entry.js';
import { ringWorld, scopeFor, serviceName } from '../support/world.js';

const CLIENTS = 1_000;
const EVENTS = 100_000;
const SENDERS = 64;
/** A sender that gets 503 sends again after this time. */
const COME_BACK_MS = 50;
/** No divisor of it is a divisor of a round number of clients, so that events of one client come apart. */
const STRIDE = 7_919;

/** Many events about few clients at once, and a revocation in their middle. */
export const burst: Row = {
  name: 'burst',
  title: '100,000 events over 1,000 clients in a burst, with a revocation in the middle',
  needs: ['consul'],
  figures: [
    { id: 'ackP50', label: 'until acknowledged, p50 of 64 senders', unit: 'ms' },
    { id: 'ackP99', label: 'until acknowledged, p99 of 64 senders', unit: 'ms' },
    { id: 'refused', label: 'answers that said to come back', unit: '' },
    { id: 'coalescing', label: 'events for each read of a client', unit: '' },
    { id: 'drainRate', label: 'events, first sent until idle', unit: '/s' },
    { id: 'revocation', label: 'the revocation, until Consul shows it', unit: 'ms' },
  ],
  open: async (bench) => ({
    contestants: new Map([[OURS, () => measure(bench)]]),
    close: async () => {},
  }),
};

async function measure(bench: Bench): Promise<Sample> {
  const [size, events] = [bench.scaled(CLIENTS, 50), bench.scaled(EVENTS, 500)];
  const world = ringWorld(size, 1);
  const scene = await openScene(world);
  const { consul, idp } = scene;
  try {
    await scene.command('apply', '--yes');
    const daemon = await scene.startDaemon();
    await daemon.ready();
    await daemon.idle();
    // The first client is the one that is revoked; every other gains one destination.
    const [revoked, ...others] = world.clients;
    if (revoked === undefined) throw new Error('the world is too small');
    idp.put(
      ...others.map((client, at) => ({
        ...client,
        scopes: [...client.scopes, scopeFor(serviceName(((at + size / 2) % size) >> 0))],
      })),
    );
    const reads = idp.requests.clients;
    const acknowledged: number[] = [];
    let refused = 0;
    const send = async (type: string, clientId: string) => {
      const event = idp.sign(type, clientId);
      const begun = performance.now();
      for (;;) {
        const { status } = await scene.post(daemon, event);
        if (status === 202) break;
        if (status !== 429 && status !== 503) throw new Error(`an event was answered ${status}`);
        refused++;
        await delay(COME_BACK_MS);
      }
      acknowledged.push(performance.now() - begun);
    };
    let revocation: Promise<number> | undefined;
    const revoke = async () => {
      const [source, destination] = [serviceName(0), serviceName(1)];
      idp.change(revoked.clientId, { scopes: [] });
      const begun = performance.now();
      const gone = seenAt(consul, destination, (sources) => !sources.has(source), 600_000);
      await send('client.updated', revoked.clientId);
      return (await gone) - begun;
    };
    bench.progress(`burst: sends ${events} events`);
    const begun = performance.now();
    await inParallel(SENDERS, events, async (at) => {
      if (at === events >> 1) {
        revocation = revoke();
        revocation.catch(() => {});
      }
      await send('client.updated', others[(at * STRIDE) % others.length]?.clientId ?? '');
    });
    await revocation;
    await daemon.idle(1_200_000);
    const seconds = (performance.now() - begun) / 1000;
    const edges = (await consul.entries()).reduce((sum, { Sources }) => sum + Sources.length, 0);
    const expected = new Set(
      others.flatMap(({ clientId }) => idp.get(clientId).scopes.map((scope) => `${clientId} ${scope}`)),
    );
    if (edges !== expected.size)
      throw new Error(`Consul has ${edges} edges of ${expected.size} after the burst`);
    return {
      ackP50: quantile(acknowledged, 0.5),
      ackP99: quantile(acknowledged, 0.99),
      refused,
      coalescing: acknowledged.length / Math.max(1, idp.requests.clients - reads),
      drainRate: events / seconds,
      revocation: (await revocation) ?? Number.NaN,
    };
  } finally {
    await scene.close();
  }
}
