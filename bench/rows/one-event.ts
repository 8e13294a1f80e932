import { setTimeout as delay } from 'node:timers/promises';
import type { Daemon } from '../support/product.js';
import { openRawEvent } from '../support/raw-event.js';
import { type Bench, LIMIT, OURS, type Row, type Sample } from '../support/row.js';
import { openScene, type Scene } from '../support/scene.js';
import { quantile } from '../support/statistics.js';
import { seenAt } from '../support/watch-entry.js';
import { ringWorld, scopeFor, serviceName } from '../support/world.js';

/** The world that `toggleMany` needs is a ring of so many. */
export const DESTINATIONS = 200;
const EVENTS = 200;
/** Between two events, so that each meets an idle daemon. */
const PAUSE_MS = 30;
const BUSY_KEYS = 10;
/** The targets are so many times those of an idle daemon. */
const BUSY_FACTOR = 1.5;
/** Each busy key changes so often. */
const BUSY_EVERY_MS = 100;

/** From the sending of an event until Consul shows what follows from it. */
export const oneEvent: Row = {
  name: 'one-event',
  title: 'one event to commit, idle and with ten other keys busy, as a multiple of the raw work',
  limit: 'raw work, idle',
  needs: ['consul'],
  figures: [
    { id: 'p50', label: 'idle, p50', unit: 'ms', targets: [{ against: LIMIT, atMost: 2 }] },
    { id: 'p99', label: 'idle, p99', unit: 'ms', targets: [{ against: LIMIT, atMost: 5 }] },
    {
      id: 'busyP50',
      label: 'ten other keys busy, p50',
      unit: 'ms',
      targets: [{ against: LIMIT, atMost: 2 * BUSY_FACTOR }],
    },
    {
      id: 'busyP99',
      label: 'ten other keys busy, p99',
      unit: 'ms',
      targets: [{ against: LIMIT, atMost: 5 * BUSY_FACTOR }],
    },
  ],
  async open(bench) {
    const events = bench.scaled(EVENTS, 40);
    return {
      contestants: new Map([
        [OURS, () => throughScopemesh(events, bench)],
        [LIMIT, () => rawWork(events)],
      ]),
      close: async () => {},
    };
  },
};

/** The client of this service, and a destination that it does not call in the ring. */
const edgeOf = (index: number) => ({
  source: serviceName(index),
  clientId: `${serviceName(index)}-app`,
  called: serviceName((index + 1) % DESTINATIONS),
  toggled: serviceName((index + 50) % DESTINATIONS),
});

async function throughScopemesh(events: number, bench: Bench): Promise<Sample> {
  const scene = await openScene(ringWorld(DESTINATIONS, 1));
  try {
    await scene.command('apply', '--yes');
    const daemon = await scene.startDaemon();
    await daemon.ready();
    await daemon.idle();
    bench.progress('one-event: idle');
    const idle = await toggleMany(scene, daemon, events);
    bench.progress(`one-event: ${BUSY_KEYS} other keys busy`);
    const stop = new AbortController();
    const busy = Array.from({ length: BUSY_KEYS }, (_, at) => keepBusy(scene, daemon, 100 + at, stop.signal));
    const beside = await toggleMany(scene, daemon, events);
    stop.abort();
    await Promise.all(busy);
    return {
      p50: quantile(idle, 0.5),
      p99: quantile(idle, 0.99),
      busyP50: quantile(beside, 0.5),
      busyP99: quantile(beside, 0.99),
    };
  } finally {
    await scene.close();
  }
}

/** Gives or takes one scope and tells of it by a signed event. */
async function toggle(
  { idp, ...scene }: Scene,
  daemon: Daemon,
  index: number,
  isGrant: boolean,
): Promise<void> {
  const { clientId, called, toggled } = edgeOf(index);
  idp.change(clientId, { scopes: [called, ...(isGrant ? [toggled] : [])].map(scopeFor) });
  await scene.send(daemon, idp.sign('client.updated', clientId));
}

/** One event after the other to an idle daemon; resolves with the milliseconds of each until Consul showed its change. */
export async function toggleMany(scene: Scene, daemon: Daemon, events: number): Promise<readonly number[]> {
  const took: number[] = [];
  for (let round = 0; round < events; round++) {
    const [index, isGrant] = [(round >> 1) % 50, round % 2 === 0];
    const { source, toggled } = edgeOf(index);
    const seen = seenAt(scene.consul, toggled, (sources) => sources.has(source) === isGrant);
    // The query must wait at Consul before the event is sent.
    await delay(PAUSE_MS);
    const begun = performance.now();
    await toggle(scene, daemon, index, isGrant);
    took.push((await seen) - begun);
  }
  return took;
}

async function keepBusy(scene: Scene, daemon: Daemon, index: number, signal: AbortSignal): Promise<void> {
  for (let isGrant = true; !signal.aborted; isGrant = !isGrant) {
    await Promise.all([toggle(scene, daemon, index, isGrant), delay(BUSY_EVERY_MS)]);
  }
}

async function rawWork(events: number): Promise<Sample> {
  const scene = await openScene(ringWorld(DESTINATIONS, 1));
  const raw = openRawEvent(scene.directory, scene.consul, scene.idp);
  try {
    await scene.command('apply', '--yes');
    const took: number[] = [];
    for (let round = 0; round < events; round++) {
      const { clientId, toggled, source } = edgeOf((round >> 1) % 50);
      await delay(PAUSE_MS);
      took.push(await raw.handle(clientId, toggled, source));
    }
    const [p50, p99] = [quantile(took, 0.5), quantile(took, 0.99)];
    return { p50, p99, busyP50: p50, busyP99: p99 };
  } finally {
    await raw.close();
    await scene.close();
  }
}
