import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../stack/process.js';
import { isSoak } from '../support/soak.js';
import { openRawRequests, type RawRequests, StaleToken } from './raw-requests.js';
import { type Scene, startScene } from './scene.js';
import type { Scopemesh } from './scopemesh.js';
import { changeOfClient, deliver, sign, suppressWebhook } from './webhooks.js';

/*
 * Prints how long scopemesh takes, beside the raw requests of the same run, one after the other in turn: only the
 * ratio says something about scopemesh, and nothing here fails because a machine is slow.
 */
const WARM_UP = 20;
const COMMITS = isSoak ? 220 : 80;
const ENVOYS = 40;
const SUBJECT = 'intention/default/default/d-0/caller';

let scene: Scene;
let daemon: Scopemesh;
let raw: RawRequests;

beforeAll(async () => {
  scene = await startScene();
  const { consul, keycloak, mesh, realm } = scene.stack;
  const { admin } = keycloak;
  for (const name of ['d-0', 'raw-0'])
    await consul.request('PUT', '/v1/config', { Kind: 'service-defaults', Name: name, Protocol: 'http' });
  for (const scope of ['d-0:read', 'd-0:write']) await admin.createClientScope(realm, scope);
  for (const name of ['caller', 'raw']) {
    await admin.createClient(realm, `${name}-app`, { attributes: { 'consul-services': name } });
    await admin.addScope(realm, `${name}-app`, 'd-0:read');
  }
  const meta = { 'oauth-client-id': 'caller-app' };
  await consul.request('PUT', '/v1/agent/service/register', { Name: 'caller', Port: 1, Meta: meta });
  await mesh.add({ name: 'direct', protocol: 'http' });
  await mesh.add({ name: 'probe', upstreams: ['direct'] });
  daemon = await scene.startDaemon({
    proxies: false,
    // Nothing but the events of the test may find a change.
    provider: { poll: '1h', fullRead: '1h' },
    configuration: {
      resync: '1h',
      scopes: {
        '{service}:read': { to: '{service}', methods: ['GET'], path: '/' },
        '{service}:write': { to: '{service}', methods: ['POST'], path: '/' },
      },
    },
  });
  await suppressWebhook(scene.stack, daemon.address);
  raw = await openRawRequests(scene.stack);
  await mesh.waitForStatus(200, { from: 'web', to: 'orders', method: 'GET', path: '/' });
  await until('caller may call', async () => (await raw.readEntry('d-0')) > 0);
});

afterAll(async () => {
  await raw?.close();
  await scene?.stop();
});

async function timed<T>(times: number[], doing: () => Promise<T>): Promise<T> {
  for (;;) {
    const began = performance.now();
    try {
      const result = await doing();
      times.push(performance.now() - began);
      return result;
    } catch (error) {
      if (!(error instanceof StaleToken)) throw error;
    }
  }
}

/** Gives the scope if `has` is false, takes it if it is true. */
const toggle = (clientId: string, scope: string, has: boolean) => {
  const { keycloak, realm } = scene.stack;
  return has
    ? keycloak.admin.removeScope(realm, clientId, scope)
    : keycloak.admin.addScope(realm, clientId, scope);
};

const event = async (clientId: string) => {
  const { keycloak, realm, webhookSecret } = scene.stack;
  return sign(changeOfClient(realm, await keycloak.admin.clientUuid(realm, clientId)), webhookSecret);
};

const permission = (method: string) => ({
  Name: 'caller',
  Description: 'by hand',
  Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/', Methods: [method] } }],
});

describe('latency', () => {
  it(`from an event to the commit, ${COMMITS} times`, async () => {
    const outside: number[] = [];
    const [idp, again, read, write]: [number[], number[], number[], number[]] = [[], [], [], []];
    const mark = await scene.topic.mark();
    let before: Awaited<ReturnType<typeof readMetrics>> = new Map();
    for (let at = 0; at < WARM_UP + COMMITS; at++) {
      if (at === WARM_UP) before = await readMetrics();
      const isOdd = at % 2 === 1;
      await toggle('caller-app', 'd-0:write', isOdd);
      const delivery = await event('caller-app');
      const index = await raw.readEntry('d-0');
      const committed = raw.entryAbove('d-0', index);
      await timed(outside, async () => {
        expect((await deliver(daemon.address, delivery)).status).toBe(202);
        await committed;
      });
      // A change before it, so that Keycloak has to look it up as it has to for scopemesh.
      await toggle('raw-app', 'd-0:write', isOdd);
      await timed(idp, () => raw.readClient('raw-app'));
      await timed(again, () => raw.readClient('raw-app'));
      const rawIndex = await timed(read, () => raw.readEntry('raw-0'));
      await timed(write, () => raw.writeEntry('raw-0', permission(isOdd ? 'GET' : 'POST'), rawIndex));
    }
    for (const times of [outside, idp, again, read, write]) times.splice(0, WARM_UP);
    const after = await readMetrics();
    await daemon.idle();
    const inside = (await scene.topic.read())
      .filter(({ id, subject, outcome }) => !mark.has(id) && subject === SUBJECT && outcome === 'applied')
      .toSorted((a, b) => a.revision - b.revision)
      .flatMap(({ latencyMs }) => (latencyMs === undefined ? [] : [latencyMs]))
      .slice(-COMMITS);
    expect(inside).toHaveLength(COMMITS);

    const atConsul = quantile(read, 0.5) + quantile(write, 0.5);
    const [sum, strict] = [quantile(idp, 0.5) + atConsul, quantile(again, 0.5) + atConsul];
    print(`event to commit, n=${COMMITS}`, [
      ['from the receipt of the webhook (decision latencyMs)', inside],
      ['from sending the webhook until a blocking query sees it', outside],
      ['raw: one client from Keycloak, after a change of it', idp],
      ['raw: the same once more, from its cache', again],
      ['raw: one consistent read of Consul', read],
      ['raw: one compare-and-set of Consul', write],
    ]);
    const ratios = ([what, least]: readonly [string, number]) =>
      `${(quantile(inside, 0.5) / least).toFixed(2)} from the receipt, ${(quantile(outside, 0.5) / least).toFixed(2)} from outside: over ${least.toFixed(2)} ms, ${what}`;
    const lines = [
      ['the sum of the raw p50', sum] as const,
      ['with Keycloak from its cache', strict] as const,
    ];
    console.log(`p50 ratios, at most 3 is wanted\n  ${lines.map(ratios).join('\n  ')}`);
    console.log(`within, mean ms and times for each event:\n${differences(before, after, COMMITS)}`);
  }, 240_000);

  it(`from an event to Envoy, ${ENVOYS} times`, async () => {
    const { mesh } = scene.stack;
    const byEvent: number[] = [];
    const byHand: number[] = [];
    for (let at = 0; at < ENVOYS; at++) {
      const isOpen = at % 2 === 0;
      await toggle('web-app', 'orders:read', isOpen);
      const delivery = await event('web-app');
      const call = { method: 'GET', path: '/' };
      await timed(byEvent, async () => {
        await deliver(daemon.address, delivery);
        await mesh.waitForStatus(isOpen ? 403 : 200, { ...call, from: 'web', to: 'orders' });
      });
      const source = { Name: 'probe', Permissions: permission(isOpen ? 'GET' : 'POST').Permissions };
      const index = await raw.readEntry('direct');
      await timed(byHand, async () => {
        await raw.writeEntry('direct', source, index);
        await mesh.waitForStatus(isOpen ? 200 : 403, { ...call, from: 'probe', to: 'direct' });
      });
    }
    print(`to Envoy, n=${ENVOYS}`, [
      ['from sending the webhook', byEvent],
      ['raw: from sending the write', byHand],
    ]);
    const ratio = quantile(byEvent, 0.5) / quantile(byHand, 0.5);
    console.log(`p50 over the raw p50: ${ratio.toFixed(3)}; at most 1.15 is wanted`);
    expect(byEvent).toHaveLength(byHand.length);
  }, 240_000);
});

function quantile(times: readonly number[], q: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function print(title: string, rows: readonly (readonly [string, readonly number[]])[]): void {
  const line = (name: string, cells: readonly string[]) =>
    `  ${name.padEnd(58)}${cells.map((cell) => cell.padStart(9)).join('')}`;
  const lines = rows.map(([name, times]) =>
    line(
      name,
      [0.5, 0.95, 1].map((q) => quantile(times, q).toFixed(2)),
    ),
  );
  console.log([line(`${title}, ms`, ['p50', 'p95', 'max']), ...lines].join('\n'));
}

/** Sum and count of every histogram of the daemon. */
async function readMetrics(): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${daemon.address}/metrics`)).text();
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^(scopemesh_\w+_seconds_(?:sum|count)\S*) (\S+)$/.exec(line) ?? [];
    if (name !== undefined) found.set(name, Number(value));
  }
  return found;
}

function differences(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  events: number,
): string {
  const since = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  return [...after.keys()]
    .filter((name) => name.includes('_seconds_count'))
    .flatMap((name) => {
      const count = since(name);
      const mean = (since(name.replace('_seconds_count', '_seconds_sum')) / count) * 1000;
      const label = name.replace('scopemesh_', '').replace('_seconds_count', '');
      return count < events / 2
        ? []
        : [`  ${label.padEnd(58)}${mean.toFixed(2).padStart(9)}${(count / events).toFixed(1).padStart(9)}`];
    })
    .join('\n');
}
