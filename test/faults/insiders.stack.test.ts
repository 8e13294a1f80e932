import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import { mapBounded } from '../../src/limiter.js';
import { edgesOfConsul } from '../e2e/crash-world.js';
import { MARK } from '../e2e/foreign.js';
import { until } from '../stack/process.js';
import { isSoak } from '../support/soak.js';
import { describeFaults } from './describe-faults.js';
import { CLIENTS, clientOf, isEqual, post, startWorld, type World } from './world.js';

const MINUTE_MS = 60_000;

/** Waits until the change of the row is made although the attack goes on, and prints how long that took. */
async function isMade(world: World): Promise<void> {
  const began = performance.now();
  await until('the change is made under attack', () => isEqual(world));
  console.log(`made under attack after ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

const heldAs = async (world: World, reason: string) =>
  (await world.daemon.status()).holds.filter((hold) => hold.reason === reason).length;

/** Sources with our mark, which the owner of the destination `evil` writes. */
const marked = {
  Kind: 'service-intentions',
  Name: 'evil',
  Sources: Array.from({ length: 12 }, (_, at) => ({
    Name: `ghost-${at}`,
    Action: 'allow',
    Description: `${MARK} client=main/ghost-${at}`,
  })),
};

const GHOSTS = Array.from({ length: 400 }, (_, at) => `bogus-${at}`);
const inConsul = (world: World, names: readonly string[], to: (name: string) => [string, object?]) =>
  mapBounded(names, { width: 8 }, (name) => world.consul.request('PUT', ...to(name)));

/** The identity provider allows 300 requests a minute. */
let asked = 0;
function limitRequests({ idp }: World): void {
  const began = Date.now();
  let minute = 0;
  let used = 0;
  asked = 0;
  idp.fault = () => {
    const now = Math.floor((Date.now() - began) / MINUTE_MS);
    if (now !== minute) used = 0;
    minute = now;
    used++;
    asked++;
    return used > 300 ? { status: 429, headers: { 'retry-after': '60' }, json: {} } : undefined;
  };
}

const UNREADABLE = [
  { clientId: 'long-app', scopes: [], attributes: { note: 'x'.repeat(17_000) } },
  { clientId: 'space-app', scopes: ['d-0:read d-1:read'] },
  { clientId: 'bare-app' },
];

/** Registered at another node, whose agent does not exist. */
const CROWD = Array.from({ length: isSoak ? 10_000 : 2_000 }, (_, at) => `crowd-${at}`);
const CROWD_NODE = 'crowd';
/** The most operations of one transaction of Consul. */
const TRANSACTION = 64;

async function inTransactions({ consul }: World, verb: 'set' | 'delete'): Promise<void> {
  const services = CROWD.map((name) => ({
    Service: {
      Verb: verb,
      Node: CROWD_NODE,
      Service: { ID: name, Service: name, Port: 1, Meta: { 'oauth-client-id': `nobody-${name}` } },
    },
  }));
  const parts = Array.from({ length: Math.ceil(services.length / TRANSACTION) }, (_, at) =>
    services.slice(at * TRANSACTION, (at + 1) * TRANSACTION),
  );
  await mapBounded(parts, { width: 4 }, (part) => consul.request('PUT', '/v1/txn', part));
}

/** Twenty clients that ask for both pages again as soon as they are answered. */
function startPolls({ daemon }: World): { answered(): number; stop(): Promise<void> } {
  let isOver = false;
  let answered = 0;
  const poll = async () => {
    while (!isOver)
      for (const path of ['/metrics', '/statusz']) {
        const isAnswered = await fetch(daemon.address + path).then(
          (answer) => answer.arrayBuffer().then(() => answer.ok),
          () => false,
        );
        if (isAnswered) answered++;
        else isOver = true;
      }
  };
  const all = Promise.all(Array.from({ length: 20 }, poll));
  return {
    answered: () => answered,
    async stop() {
      isOver = true;
      await all;
    },
  };
}

let polls: ReturnType<typeof startPolls> | undefined;

const quarantined = clientOf(CLIENTS - 1);
const edgesOf = async (world: World, service: string) =>
  [...(await edgesOfConsul(world))].filter(([edge]) => edge.endsWith(`/${service}`));

let halfSent: readonly Socket[] = [];

// The holds of services that are gone end with the grace of their claims.
const start = () => startWorld({ configuration: { services: { claimGrace: '1s' } } });

describeFaults('An insider', start, [
  {
    name: 'writes 12 sources with our mark at a destination',
    begin: async (world) => {
      await world.consul.request('PUT', '/v1/config', marked);
      await until('the holds', async () => (await heldAs(world, 'MarkUnrecorded')) === marked.Sources.length);
    },
    meanwhile: async (world) => {
      await isMade(world);
      const evil = await world.consul.request('GET', '/v1/config/service-intentions/evil');
      expect(evil).toMatchObject({
        Sources: expect.arrayContaining([expect.objectContaining(marked.Sources[0])]),
      });
      expect(await heldAs(world, 'RevocationLimit')).toBe(0);
    },
    end: (world) => world.consul.request('DELETE', '/v1/config/service-intentions/evil'),
  },
  {
    name: 'registers 400 services for clients that do not exist',
    begin: async (world) => {
      limitRequests(world);
      await inConsul(world, GHOSTS, (name) => [
        '/v1/agent/service/register',
        { Name: name, Port: 1, Meta: { 'oauth-client-id': `nobody-${name}` } },
      ]);
      await until('the holds', async () => (await heldAs(world, 'ClaimUnconfirmed')) > 0);
    },
    meanwhile: async (world) => {
      await isMade(world);
      console.log(`requests to the identity provider: ${asked}`);
      expect(asked).toBeLessThan(GHOSTS.length / 2);
    },
    end: async (world) => {
      world.idp.fault = undefined;
      await inConsul(world, GHOSTS, (name) => [`/v1/agent/service/deregister/${name}`]);
    },
  },
  {
    name: 'has three OAuth clients that cannot be read',
    begin: ({ idp }) => {
      idp.fault = (path) =>
        path === '/directory'
          ? { json: { clients: [...idp.clients.values(), ...UNREADABLE], single: true } }
          : undefined;
    },
    meanwhile: isMade,
    end: ({ idp }) => {
      idp.fault = undefined;
    },
  },
  {
    name: 'sends 500 forged events',
    begin: async (world) => {
      const forged = {
        type: 'client.disabled',
        data: { clientId: clientOf(0) },
        secret: `whsec_${btoa('x'.repeat(32))}`,
      };
      const answers = await mapBounded(Array.from({ length: 500 }), { width: 8 }, () => post(world, forged));
      expect(answers.every((status) => status === 401 || status === 429)).toBe(true);
    },
    meanwhile: async (world) => {
      await isMade(world);
      const recorded = (await world.decisions()).filter(({ reason }) => reason === 'SignatureInvalid');
      expect(recorded.length).toBeGreaterThan(0);
      expect(recorded.length).toBeLessThanOrEqual(100);
    },
  },
  {
    name: 'leaves 1,200 requests half sent',
    begin: async ({ daemon }) => {
      const { port } = new URL(daemon.address);
      halfSent = await mapBounded(Array.from({ length: 1_200 }), { width: 50 }, async () => {
        const socket = connect(Number(port), '127.0.0.1');
        socket.on('error', () => {});
        socket.write('POST /events/main HTTP/1.1\r\nHost: x\r\n');
        return socket;
      });
    },
    meanwhile: async (world) => {
      const probes = await mapBounded(Array.from({ length: 10 }), { width: 1 }, () =>
        fetch(`${world.daemon.address}/healthz`).then(({ status }) => status),
      );
      expect(probes).toEqual(Array(10).fill(200));
      await isMade(world);
    },
    end: () => {
      for (const socket of halfSent) socket.destroy();
    },
  },
  {
    name: 'finds the state directory lost after a client was compromised',
    begin: async (world) => {
      const event = { type: 'client.secret-compromised', data: { clientId: quarantined } };
      expect(await post(world, event)).toBe(202);
    },
    meanwhile: async (world) => {
      const service = quarantined.replace('-app', '');
      await world.delivered();
      await until('it has no access', async () => (await edgesOf(world, service)).length === 0);
      await world.daemon.idle();
      expect(await world.daemon.stop()).toBe(0);
      await rm(world.daemon.stateDirectory, { recursive: true });
      await world.daemon.start();
      await world.daemon.ready(90_000);
      await world.daemon.idle();
      expect(await edgesOf(world, service)).toEqual([]);
    },
    end: async (world) => {
      world.idp.change(quarantined, { secretCreatedAt: new Date().toISOString() });
      expect(await post(world, { type: 'client.updated', data: { clientId: quarantined } })).toBe(202);
    },
    exact: false,
    storeForgets: true,
  },
]);

// In a world of its own: only so many holds of claims are recorded in a while, and the rows before use some of them up.
describeFaults('An insider with many services', start, [
  {
    name: 'polls /metrics and /statusz with 20 clients at many holds',
    begin: async (world) => {
      const began = performance.now();
      await world.consul.request('PUT', '/v1/catalog/register', { Node: CROWD_NODE, Address: '127.0.0.1' });
      await inTransactions(world, 'set');
      const held = async () => (await world.daemon.status()).holdCounts.ClaimUnconfirmed ?? 0;
      await until('the holds', async () => (await held()) >= CROWD.length, { timeoutMs: 180_000 });
      console.log(`${CROWD.length} holds after ${((performance.now() - began) / 1000).toFixed(1)} s`);
      polls = startPolls(world);
      await until('each client is answered', () => (polls?.answered() ?? 0) > 40);
    },
    meanwhile: isMade,
    end: async (world) => {
      await polls?.stop();
      console.log(`answered polls: ${polls?.answered()}`);
      await inTransactions(world, 'delete');
      await world.consul.request('PUT', '/v1/catalog/deregister', { Node: CROWD_NODE });
    },
    timeoutMs: 180_000,
  },
]);
