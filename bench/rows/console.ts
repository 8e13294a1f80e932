import { setTimeout as delay } from 'node:timers/promises';
import { ask, openConsoles, sizesOfPage, startWatched, TOKENS } from '../support/console.js';
import { openPage, type PageUnderTest } from '../support/console-page.js';
import { type Bench, OURS, type Row, type Sample } from '../support/row.js';
import { openScene, type Scene } from '../support/scene.js';
import { median, quantile } from '../support/statistics.js';
import { seenAt } from '../support/watch-entry.js';
import { ringWorld, scopeFor, serviceName } from '../support/world.js';

const SERVICES = 5_000;
const FEW = 500;
const CALLERS = 5;
const CONSOLES = 10;
const DECISIONS_PER_SECOND = 200;
const EVENTS = 100;
/** Between two events whose way to Consul is measured. */
const PAUSE_MS = 30;
const ALONE = 'no console';
/** The longest run of one request is the median of so many, as a collection of garbage may fall into one. */
const TRIES = 5;

/** CONSOLE.md, section 10. */
export const webConsole: Row = {
  name: 'console',
  title: 'the web console with 5,000 services and 25,000 edges, and what it costs the daemon',
  needs: ['consul', 'chromium'],
  figures: [
    { id: 'all', label: 'all built files, gzip', unit: 'kB', targets: [{ atMost: 350 }] },
    { id: 'first', label: 'before the first view, gzip', unit: 'kB', targets: [{ atMost: 150 }] },
    { id: 'paintFew', label: 'first useful paint, 500 services', unit: 's', targets: [{ atMost: 1 }] },
    { id: 'paint', label: 'first useful paint, 5,000 services', unit: 's', targets: [{ atMost: 1.5 }] },
    { id: 'map', label: 'answer of the map, gzip', unit: 'kB', targets: [{ atMost: 300 }] },
    {
      id: 'loop',
      label: 'longest run of the event loop for a request',
      unit: 'ms',
      targets: [{ atMost: 15 }],
    },
    { id: 'whatIf', label: 'what-if for one client', unit: 's', targets: [{ atMost: 0.5 }] },
    { id: 'palette', label: 'palette, key to result, p95', unit: 'ms', targets: [{ atMost: 100 }] },
    {
      id: 'filter',
      label: 'filter of the services, key to result, p95',
      unit: 'ms',
      targets: [{ atMost: 100 }],
    },
    {
      id: 'arrow',
      label: 'settled until the arrow is on the screen, p95',
      unit: 'ms',
      targets: [{ atMost: 500 }],
    },
    {
      id: 'p50',
      label: 'event to commit, 200 decisions/s, p50',
      unit: 'ms',
      targets: [{ against: ALONE, atMost: 1.1 }],
    },
    {
      id: 'p99',
      label: 'event to commit, 200 decisions/s, p99',
      unit: 'ms',
      targets: [{ against: ALONE, atMost: 1.3 }],
    },
    {
      id: 'cpu',
      label: 'CPU meanwhile, of one core',
      unit: '%',
      targets: [{ against: ALONE, atMost: 1.15 }],
    },
    { id: 'idle', label: 'CPU of ten idle consoles, of one core', unit: '%', targets: [{ atMost: 1 }] },
    {
      id: 'frames',
      label: 'frame of the map, median, to an empty page',
      unit: '',
      targets: [{ atMost: 1.2 }],
    },
    { id: 'frames99', label: 'frame of the map, p99', unit: 'ms', targets: [{ atMost: 100 }] },
    { id: 'heap', label: 'growth of the page heap', unit: '%', targets: [{ atMost: 5 }] },
    { id: 'nodes', label: 'growth of the DOM', unit: '%', targets: [{ atMost: 5 }] },
  ],
  async open(bench) {
    const size = bench.scaled(SERVICES, 200);
    bench.progress(`console: makes ${size} services`);
    const large = await begin(size);
    return {
      contestants: new Map([
        [OURS, () => measure(large, size, bench)],
        [ALONE, () => load(large, size, bench)],
      ]),
      close: () => large.scene.close(),
    };
  },
};

type Watched = Awaited<ReturnType<typeof begin>>;

async function begin(size: number) {
  const scene = await openScene(ringWorld(size, CALLERS), { http: { tokens: TOKENS } });
  try {
    await scene.command('apply', '--yes');
    const watched = await startWatched(scene);
    await watched.daemon.ready();
    await watched.daemon.idle();
    return { scene, ...watched };
  } catch (error) {
    await scene.close();
    throw error;
  }
}

async function measure(large: Watched, size: number, bench: Bench): Promise<Sample> {
  const { daemon, scene } = large;
  const { all, first } = await sizesOfPage();
  bench.progress('console: requests');
  const map = (await ask(daemon, '/api/map')) / 1_000;
  const whatIf = await timesOf(() => ask(daemon, `/api/what-if?client=${clientId(1)}&add=${scopeOf(9)}`));
  const loop = await longestRun(large, bench);
  bench.progress('console: ten consoles that rest');
  const idle = await idleCpu(large);
  bench.progress('console: ten consoles under load');
  const close = await openConsoles(daemon, CONSOLES);
  const busy = await load(large, size, bench).finally(close);
  bench.progress('console: in a browser');
  const few = await begin(Math.min(FEW, size));
  const paintFew = await paintOf(few.scene).finally(() => few.scene.close());
  const page = await openPage(scene);
  try {
    return {
      ...{ all, first, paintFew, paint: page.paint, map, loop, idle, ...busy },
      whatIf: median(whatIf) / 1_000,
      palette: quantile(await page.typeInPalette(names(size)), 0.95),
      filter: quantile(await page.typeInFilter(names(size)), 0.95),
      arrow: quantile(await arrows(large, page), 0.95),
      ...(await drawn(large, page, size, bench)),
    };
  } finally {
    await page.close();
  }
}

const clientId = (index: number) => `${serviceName(index)}-app`;
const scopeOf = (index: number) => scopeFor(serviceName(index));
/** Parts of names, each of one service. */
const names = (size: number) =>
  Array.from({ length: 20 }, (_, at) => serviceName(Math.floor((at * size) / 20)).slice(4));

async function timesOf(work: () => Promise<unknown>): Promise<readonly number[]> {
  const took: number[] = [];
  for (let turn = 0; turn < TRIES; turn++) {
    const begun = performance.now();
    await work();
    took.push(performance.now() - begun);
  }
  return took;
}

async function paintOf(scene: Scene): Promise<number> {
  const page = await openPage(scene);
  await page.close();
  return page.paint;
}

/** The worst of every kind of question, in milliseconds. */
async function longestRun({ daemon, longestRun: runSince }: Watched, bench: Bench): Promise<number> {
  const one = serviceName(1);
  const runs: number[] = [];
  for (const path of [
    '/api/status',
    '/api/map',
    '/api/map?q=0049',
    `/api/map?focus=${one}&hops=3`,
    '/api/services?limit=100',
    '/api/services?q=0049',
    `/api/services/${one}`,
    '/api/clients?limit=100',
    '/api/clients?q=0049',
    `/api/clients/main/${clientId(1)}`,
    `/api/explain?from=${one}&to=${serviceName(2)}`,
    '/api/search?q=0049',
    '/api/decisions?limit=100',
    '/api/plan',
    `/api/what-if?client=${clientId(1)}&add=${scopeOf(9)}`,
    `/api/what-if?rule=${encodeURIComponent('{"all:read": {"to": "svc-000001", "methods": ["GET"]}}')}`,
    '/api/holds?limit=100',
    '/api/health',
    '/api/latency',
  ]) {
    const tries: number[] = [];
    for (let turn = 0; turn < TRIES; turn++) {
      await runSince();
      await ask(daemon, path);
      tries.push(await runSince());
      // Some answers are kept for a moment.
      await delay(500);
    }
    const longest = median(tries);
    runs.push(longest);
    bench.progress(`console: ${path.slice(0, 50)}: ${longest.toFixed(1)} ms`);
  }
  return Math.max(...runs);
}

async function idleCpu({ daemon }: Watched): Promise<number> {
  const share = async () => {
    const before = (await daemon.cpuSeconds()) ?? Number.NaN;
    await delay(20_000);
    return (((await daemon.cpuSeconds()) ?? Number.NaN) - before) / 0.2;
  };
  const alone = await share();
  const close = await openConsoles(daemon, CONSOLES);
  // What they read at first is no part of being idle.
  await delay(5_000);
  return (await share().finally(close)) - alone;
}

/** Events of other clients at a steady rate. Returns what ends them. */
function keepBusy({ scene, daemon }: Watched, size: number): () => Promise<void> {
  let round = 0;
  let isOver = false;
  const send = async () => {
    const at = (round >> 1) % (size >> 1);
    const isGrant = (round++ & 1) === 0;
    await toggle(scene, daemon, (size >> 1) + at, isGrant);
  };
  const running = (async () => {
    const begun = performance.now();
    const open = new Set<Promise<void>>();
    for (let sent = 0; !isOver; sent++) {
      await delay(begun + (sent * 1_000) / DECISIONS_PER_SECOND - performance.now());
      const one = send().finally(() => open.delete(one));
      open.add(one);
    }
    await Promise.all(open);
  })();
  return async () => {
    isOver = true;
    await running;
  };
}

/** A client gets the scope of a service that it does not call in the ring, or loses it. */
async function toggle(
  scene: Scene,
  daemon: Watched['daemon'],
  index: number,
  isGrant: boolean,
): Promise<void> {
  const own = Array.from({ length: CALLERS }, (_, step) => scopeOf(index + step + 1));
  scene.idp.change(clientId(index), { scopes: isGrant ? [...own, scopeOf(index - 20)] : own });
  await scene.send(daemon, scene.idp.sign('client.updated', clientId(index)));
}

/** Event to commit beside 200 decisions a second. */
async function load(large: Watched, size: number, bench: Bench): Promise<Sample> {
  const { scene, daemon } = large;
  const end = keepBusy(large, size);
  try {
    await delay(2_000);
    const [cpu, begun] = [(await daemon.cpuSeconds()) ?? Number.NaN, performance.now()];
    const took: number[] = [];
    for (let round = 0; round < bench.scaled(EVENTS, 40); round++)
      took.push(await commit(scene, daemon, round));
    const seconds = (performance.now() - begun) / 1_000;
    const used = ((await daemon.cpuSeconds()) ?? Number.NaN) - cpu;
    return { p50: quantile(took, 0.5), p99: quantile(took, 0.99), cpu: (used / seconds) * 100 };
  } finally {
    await end();
    await daemon.idle();
  }
}

const toggled = (round: number) => 30 + ((round >> 1) % 50);

/** Milliseconds from an event until Consul shows it. */
async function commit(scene: Scene, daemon: Watched['daemon'], round: number): Promise<number> {
  const [index, isGrant] = [toggled(round), round % 2 === 0];
  const isLike = (sources: ReadonlySet<string>) => sources.has(serviceName(index)) === isGrant;
  const seen = seenAt(scene.consul, serviceName(index - 20), isLike);
  await delay(PAUSE_MS);
  const begun = performance.now();
  await toggle(scene, daemon, index, isGrant);
  return (await seen) - begun;
}

/** Milliseconds from what Consul shows until the page shows it. */
async function arrows({ scene, daemon }: Watched, page: PageUnderTest): Promise<readonly number[]> {
  const took: number[] = [];
  for (let round = 0; round < 20; round++) {
    const index = toggled(round);
    const [from, to] = [serviceName(index), serviceName(index - 20)];
    if (round % 2 === 0) await page.showMapOf(to);
    // A single change: the daemon answers the map anew at most every three seconds.
    await delay(4_000);
    const shown = page.untilArrow(from, to, round % 2 === 0);
    await commit(scene, daemon, round);
    const committed = performance.now();
    await shown;
    took.push(performance.now() - committed);
  }
  return took;
}

async function drawn(large: Watched, page: PageUnderTest, size: number, bench: Bench): Promise<Sample> {
  const seconds = bench.scaled(120, 20);
  const empty = await page.emptyFrames(5);
  const end = keepBusy(large, size);
  try {
    await page.showMap();
    bench.progress(`console: a map under load for ${seconds} s`);
    await delay(10_000);
    const before = await page.memory();
    const frames = await page.frames(seconds);
    const after = await page.memory();
    return {
      frames: median(frames) / median(empty),
      frames99: quantile(frames, 0.99),
      heap: (after.heap / before.heap - 1) * 100,
      nodes: (after.nodes / before.nodes - 1) * 100,
    };
  } finally {
    await end();
    await large.daemon.idle();
  }
}
