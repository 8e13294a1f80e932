import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../stack/process.js';
import { isSoak } from '../support/soak.js';
import { batchesOf, bySubject, changeOf, changesOf, edgesOfConsul, edgesOfKeycloak } from './crash-world.js';
import { digestForeign, seedForeign } from './foreign.js';
import { type Scene, startScene } from './scene.js';
import type { Scopemesh } from './scopemesh.js';

const CLIENTS = 40;
const DESTINATIONS = 8;
const KILLS = isSoak ? 10 : 4;
const CHANGES = 100 * KILLS;
/** Changes on their way to Keycloak at once, and the shortest time between two of one lane. */
const LANES = 4;
const PACE_MS = 250;

const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);
const random = createRandom(seed);

let scene: Scene;
let daemon: Scopemesh;

const service = (at: number) => `svc-${String(at).padStart(2, '0')}`;
const scopes = Array.from({ length: DESTINATIONS }, (_, at) => [`d-${at}:read`, `d-${at}:write`]).flat();

beforeAll(async () => {
  scene = await startScene();
  const { consul, keycloak, realm } = scene.stack;
  for (let at = 0; at < DESTINATIONS; at++)
    await consul.request('PUT', '/v1/config', {
      Kind: 'service-defaults',
      Name: `d-${at}`,
      Protocol: 'http',
    });
  for (const scope of scopes) await keycloak.admin.createClientScope(realm, scope);
  for (let at = 0; at < CLIENTS; at++) {
    const [name, clientId] = [service(at), `${service(at)}-app`];
    const meta = { 'oauth-client-id': clientId };
    await consul.request('PUT', '/v1/agent/service/register', { Name: name, Port: 1, Meta: meta });
    await keycloak.admin.createClient(realm, clientId, { attributes: { 'consul-services': name } });
  }
  // Before the daemon runs, or it would write an entry that this overwrites.
  await seedForeign(consul);
  daemon = await scene.startDaemon({
    provider: { poll: '1s' },
    configuration: {
      scopes: {
        '{service}:read': { to: '{service}', methods: ['GET'], path: '/' },
        '{service}:write': { to: '{service}', methods: ['POST'], path: '/' },
      },
    },
  });
});

afterAll(() => scene?.stop());

describe(`kill -9 at random points of a burst of ${CHANGES} changes, ${KILLS} times`, () => {
  it('leaves Consul equal to Keycloak, and each write with exactly one settled decision', async () => {
    console.log(`seed ${seed} (CRASH_SEED=${seed} makes the same changes again)`);
    const { stack, consulWrites, topic } = scene;
    const foreignBefore = await digestForeign(stack.consul);
    const began = performance.now();
    let sent = 0;
    await Promise.all([
      burst(() => {
        sent++;
      }),
      kills(() => sent),
    ]);
    const burstMs = performance.now() - began;
    const sameAsKeycloak = async () => {
      const expected = await edgesOfKeycloak(stack);
      return JSON.stringify([...(await edgesOfConsul(stack))]) === JSON.stringify([...expected]);
    };
    await until('Consul equals Keycloak', sameAsKeycloak, { timeoutMs: 90_000, intervalMs: 250 }).catch(
      () => {},
    );
    const equalMs = performance.now() - began;
    await daemon.idle(90_000);
    expect(await edgesOfConsul(stack)).toEqual(await edgesOfKeycloak(stack));

    const decisions = await topic.read();
    const applied = decisions.filter(
      ({ outcome, resource }) => outcome === 'applied' && resource.kind === 'intention',
    );
    const outcomes = new Map<string, number>();
    for (const { outcome, reason } of decisions) {
      const name = outcome === 'applied' ? 'applied' : `${outcome} ${reason}`;
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    }
    const accepted = consulWrites.accepted();
    const leftOpen = (await daemon.log()).split('"settled a write that a crash').length - 1;
    console.log(
      `${CHANGES} changes in ${(burstMs / 1000).toFixed(0)} s, equal after ${(equalMs / 1000).toFixed(0)} s; ` +
        `${accepted.length} accepted of ${consulWrites.writes.length} writes; ${leftOpen} writes were open at a kill; ` +
        `decisions: ${[...outcomes].map(([name, count]) => `${count} ${name}`).join(', ')}`,
    );

    const { changes, batches, odd } = changesOf(accepted);
    expect(odd).toEqual([]);
    expect(batchesOf(applied)).toEqual(batches);
    expect(bySubject(applied.toSorted((a, b) => a.revision - b.revision).map(changeOf))).toEqual(
      bySubject(changes),
    );
    expect(await topic.faults()).toEqual([]);
    expect(decisions.filter(({ outcome }) => outcome === 'unknown')).toEqual([]);
    const { holds, parked } = await daemon.status();
    expect(holds.filter(({ reason }) => reason !== 'ManagedElsewhere')).toEqual([]);
    expect(parked).toEqual([]);
    expect(await digestForeign(stack.consul)).toEqual(foreignBefore);
  }, 420_000);
});

/** Every change gives or takes one scope of one client; a lane has clients of its own, so that their order is known. */
async function burst(sent: () => void): Promise<void> {
  const { keycloak, realm } = scene.stack;
  const held = Array.from({ length: CLIENTS }, () => new Set<string>());
  const lane = async (first: number) => {
    for (let at = 0; at < CHANGES / LANES; at++) {
      const pause = delay(PACE_MS);
      const client = first + LANES * Math.floor(random() * (CLIENTS / LANES));
      const scope = scopes[Math.floor(random() * scopes.length)] ?? '';
      const has = held[client];
      if (has?.delete(scope)) await keycloak.admin.removeScope(realm, `${service(client)}-app`, scope);
      else {
        has?.add(scope);
        await keycloak.admin.addScope(realm, `${service(client)}-app`, scope);
      }
      sent();
      await pause;
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at)));
}

/**
 * One kill in each part of the burst, at a random change, and there in turn: as a write goes out and is lost on the
 * way, as it goes out and arrives, as Consul has answered it, or at any time.
 */
async function kills(sent: () => number): Promise<void> {
  const part = CHANGES / KILLS;
  const { consulWrites } = scene;
  const moments = [
    () => consulWrites.next('arrived'),
    () => consulWrites.next('arrived'),
    () => consulWrites.next('answered'),
    () => delay(random() * 50),
  ] as const;
  for (let kill = 0; kill < KILLS; kill++) {
    const at = Math.floor(kill * part + random() * part);
    await until(`change ${at}`, () => sent() >= at, { timeoutMs: 180_000, intervalMs: 5 });
    const found = kill % moments.length === 0 ? consulWrites.lose() : () => {};
    await Promise.race([moments[kill % moments.length]?.(), delay(15_000)]);
    await daemon.kill();
    found();
    await daemon.start();
  }
}

/** Small, and the same for the same seed. */
function createRandom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
