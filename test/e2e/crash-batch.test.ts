import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../stack/process.js';
import { isSoak } from '../support/soak.js';
import { batchesOf, bySubject, changeOf, changesOf, edgesOfConsul, edgesOfKeycloak } from './crash-world.js';
import { endLeaderSession } from './end-leader-session.js';
import { type Scene, startScene } from './scene.js';
import type { Scopemesh } from './scopemesh.js';

const CLIENTS = 40;
/** Clients that gain the scope in each round, and those that lose it, while the daemon is away. */
const GAIN = 16;
const LOSE = 12;
/** Changes on their way to Keycloak at once. */
const LANES = 4;
const SCOPE = 'd-0:read';
/** How often each moment comes. */
const TURNS = isSoak ? 2 : 1;

let scene: Scene;
let daemon: Scopemesh;

const service = (at: number) => `svc-${String(at).padStart(2, '0')}`;

beforeAll(async () => {
  scene = await startScene();
  const { consul, keycloak, realm } = scene.stack;
  await consul.request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'd-0', Protocol: 'http' });
  await keycloak.admin.createClientScope(realm, SCOPE);
  await each(range(0, CLIENTS), async (at) => {
    const [name, clientId] = [service(at), `${service(at)}-app`];
    const meta = { 'oauth-client-id': clientId };
    await consul.request('PUT', '/v1/agent/service/register', { Name: name, Port: 1, Meta: meta });
    await keycloak.admin.createClient(realm, clientId, { attributes: { 'consul-services': name } });
  });
  daemon = await scene.startDaemon({
    provider: { poll: '1s' },
    configuration: {
      scopes: { '{service}:read': { to: '{service}', methods: ['GET'], path: '/' } },
      // Whatever a read alone shows is made: this is not about the mass guard.
      guards: { maxRevocations: { percent: 100, atLeast: 1000, window: '10m' } },
    },
  });
});

afterAll(() => scene?.stop());

describe('kill -9 at a write that carries many edges', () => {
  it('leaves each accepted edge with exactly one applied decision of its write, whenever it comes', async () => {
    const { stack, consulWrites, topic } = scene;
    const { admin } = stack.keycloak;
    const moments: readonly (readonly [string, () => Promise<unknown>, 'lost' | 'made'])[] = [
      ['recorded and sent, and lost on the way', () => consulWrites.next('arrived'), 'lost'],
      ['sent', () => consulWrites.next('arrived'), 'made'],
      ['answered', () => consulWrites.next('answered'), 'made'],
      ['answered, and a little later', () => consulWrites.next('answered').then(() => delay(4)), 'made'],
    ];
    const kill = async () => {
      await daemon.kill();
      await endLeaderSession(stack.consul, 'demo');
    };
    const holders = new Set<number>();
    let largest = 0;
    for (let round = 0; round < TURNS * moments.length; round++) {
      const [name, moment, fate] = moments[round % moments.length] ?? ['', () => delay(0), 'made'];
      await kill();
      const losing = [...holders].slice(0, LOSE);
      const gaining = range(0, CLIENTS)
        .map((at) => (at + round * 7) % CLIENTS)
        .filter((at) => !holders.has(at))
        .slice(0, GAIN);
      await each(losing, (at) => admin.removeScope(stack.realm, `${service(at)}-app`, SCOPE));
      await each(gaining, (at) => admin.addScope(stack.realm, `${service(at)}-app`, SCOPE));
      for (const at of losing) holders.delete(at);
      for (const at of gaining) holders.add(at);
      const found = fate === 'lost' ? consulWrites.lose() : () => {};
      const come = moment();
      await daemon.start();
      await come;
      await kill();
      found();
      await daemon.start();
      await until(
        `Consul equals Keycloak after a kill when ${name}`,
        async () => {
          const [is, expected] = [await edgesOfConsul(stack), await edgesOfKeycloak(stack)];
          return JSON.stringify([...is]) === JSON.stringify([...expected]);
        },
        { timeoutMs: 60_000, intervalMs: 200 },
      );
      await daemon.idle(60_000);
    }
    const decisions = (await topic.read()).filter(({ resource }) => resource.kind === 'intention');
    const applied = decisions.filter(({ outcome }) => outcome === 'applied');
    const { changes, batches, odd } = changesOf(consulWrites.accepted());
    for (const batch of batches) largest = Math.max(largest, batch.split('; ').length);
    expect(largest).toBeGreaterThanOrEqual(GAIN);
    expect(odd).toEqual([]);
    expect(bySubject(applied.toSorted((a, b) => a.revision - b.revision).map(changeOf))).toEqual(
      bySubject(changes),
    );
    expect(batchesOf(applied)).toEqual(batches);
    const others = decisions.filter(({ outcome }) => outcome !== 'applied' && outcome !== 'held');
    expect(new Set(others.map(({ outcome, reason }) => `${outcome} ${reason}`))).toEqual(
      new Set(['failed Interrupted']),
    );
    expect(await topic.faults()).toEqual([]);
    const { holds, parked } = await daemon.status();
    expect(holds).toEqual([]);
    expect(parked).toEqual([]);
  }, 420_000);
});

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

/** A few at once. */
async function each(items: readonly number[], work: (item: number) => Promise<unknown>): Promise<void> {
  const lane = async (first: number) => {
    for (let at = first; at < items.length; at += LANES) {
      const item = items[at];
      if (item !== undefined) await work(item);
    }
  };
  await Promise.all(range(0, LANES).map(lane));
}
