import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { eventsOnly, type Idp, startIdp } from '../support/idp.js';
import { isSoak } from '../support/soak.js';
import { until } from '../support/until.js';
import { type ConsulHandle, startConsul } from './consul.js';
import { type Mesh, startMesh } from './envoy.js';
import { isInstalled, type NewerConsul } from './installed.js';
import { freePort, freePorts } from './ports.js';
import { createRunDirectory, removeRunDirectory } from './process.js';
import { type Sidecar, startSidecar } from './sidecar.js';

/*
 * A gateway `edge` with an OAuth client of its own leads to `orders`, which has a sidecar, and to `legacy`, which
 * is outside the mesh behind the terminating gateway `exit`.
 */
const MAX_MS = 90_000;
/** From the event to the first 403, where nothing else keeps the machine busy. */
const GOAL_MS = 2_000;
const CLIENT = {
  clientId: 'edge-app',
  grantTypes: ['client_credentials'],
  attributes: { 'consul-services': 'edge' },
};
/** Consul has API gateways from 1.15 on. */
interface Case {
  readonly gateway: 'ingress' | 'api';
  readonly version?: NewerConsul;
}
const CASES: readonly Case[] = [{ gateway: 'ingress' }, { gateway: 'api', version: 'consul-1.15' }];
const REACHED = ['orders', 'legacy'];
const SCOPES = {
  'orders:read': { to: 'orders', methods: ['GET'], path: '/v1/orders' },
  'legacy:read': { to: 'legacy', methods: ['GET'], path: '/' },
};

let consul: ConsulHandle;
let idp: Idp;
let mesh: Mesh;
let cli: CommandLine;
let legacy: Server;
let directory: string;
let edgePort: number;
let daemonAddress: string;
let daemon: Promise<unknown> | undefined;
let gateways: Sidecar[];
let stop: AbortController;

async function start({ gateway, version }: Case): Promise<void> {
  gateways = [];
  stop = new AbortController();
  directory = await createRunDirectory('gateways');
  [consul, idp] = await Promise.all([
    startConsul(version === undefined ? {} : { version }),
    startIdp({ single: true, now: () => Date.now() }),
  ]);
  legacy = createServer((_, answer) => answer.end('legacy')).listen(0, '127.0.0.1');
  await once(legacy, 'listening');
  const address = legacy.address();
  const legacyPort = typeof address === 'object' && address !== null ? address.port : 0;
  const [edge = 0, exit = 0, own = 0] = await freePorts(3);
  edgePort = edge;
  mesh = await startMesh(consul, { services: [{ name: 'orders', protocol: 'http' }], drainTimeSeconds: 1 });
  await consul.request('PUT', '/v1/catalog/register', {
    Node: 'outside',
    Address: '127.0.0.1',
    Service: { Service: 'legacy', Port: legacyPort },
  });
  for (const entry of [
    { Kind: 'service-defaults', Name: 'legacy', Protocol: 'http' },
    { Kind: 'terminating-gateway', Name: 'exit', Services: [{ Name: 'legacy' }] },
    ...(gateway === 'api' ? apiGateway() : [ingressGateway()]),
  ])
    await consul.request('PUT', '/v1/config', entry);
  const register = (Kind: string, Name: string, Port: number, Meta = {}) =>
    consul.request('PUT', '/v1/agent/service/register', { Kind, Name, Address: '127.0.0.1', Port, Meta });
  await register(`${gateway}-gateway`, 'edge', own, { 'oauth-client-id': 'edge-app' });
  await register('terminating-gateway', 'exit', exit);
  for (const [serviceId, kind] of [
    ['edge', gateway],
    ['exit', 'terminating'],
  ] as const)
    gateways.push(await startSidecar(consul, { serviceId, gateway: kind, directory, drainTimeSeconds: 1 }));
  const httpPort = await freePort();
  daemonAddress = `http://127.0.0.1:${httpPort}`;
  cli = createCommandLine({
    consul: { address: consul.httpAddress, managementToken: consul.managementToken },
  });
  cli.configure({
    providers: [eventsOnly(idp)],
    scopes: SCOPES,
    http: { listen: `127.0.0.1:${httpPort}` },
  });
  idp.clients.set('edge-app', { ...CLIENT, scopes: ['orders:read', 'legacy:read'] });
  daemon = cli.run(['run'], { signal: stop.signal });
}

const ingressGateway = () => ({
  Kind: 'ingress-gateway',
  Name: 'edge',
  Listeners: [
    {
      Port: edgePort,
      Protocol: 'http',
      Services: REACHED.map((Name) => ({ Name, Hosts: [`${Name}.example.com`] })),
    },
  ],
});

const apiGateway = () => [
  { Kind: 'api-gateway', Name: 'edge', Listeners: [{ Name: 'web', Port: edgePort, Protocol: 'http' }] },
  ...REACHED.map((Name) => ({
    Kind: 'http-route',
    Name,
    Hostnames: [`${Name}.example.com`],
    Parents: [{ Kind: 'api-gateway', Name: 'edge', SectionName: 'web' }],
    Rules: [{ Services: [{ Name }] }],
  })),
];

async function end(): Promise<void> {
  stop.abort(new Error('the test is over'));
  await daemon;
  await Promise.all(gateways.map(({ process }) => process.stop(3000)));
  await mesh?.stop();
  legacy?.close();
  legacy?.closeAllConnections();
  cli?.close();
  await idp?.close();
  await consul?.stop();
  await removeRunDirectory(directory);
}

/** The status of a request to `edge`, on a connection of its own; 0 without an answer. */
function call(service: string, path: string, method = 'GET'): Promise<number> {
  return new Promise((resolve) => {
    const headers = { host: `${service}.example.com` };
    const outgoing = request(
      { host: '127.0.0.1', port: edgePort, method, path, headers, agent: false, timeout: 15_000 },
      (answer) => {
        answer.resume();
        answer.once('error', () => resolve(0));
        answer.once('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.once('error', () => resolve(0));
    outgoing.end();
  });
}

const answers = (status: number, service: string, path: string, method?: string) =>
  until(`${service} answers ${status}`, async () => (await call(service, path, method)) === status, MAX_MS);

/** Takes all scopes but these, and prints the time from the event to the first refusal. A busy machine proves no time. */
async function revoke(scopes: readonly string[], service: string, path: string): Promise<void> {
  idp.clients.set('edge-app', { ...CLIENT, scopes });
  const { headers, body } = idp.sign({ type: 'client.updated', data: { clientId: 'edge-app' } });
  const began = performance.now();
  const answer = await fetch(`${daemonAddress}/events/main`, { method: 'POST', headers, body });
  expect(answer.status).toBe(202);
  await answers(403, service, path);
  const tookMs = performance.now() - began;
  console.log(`${service}: event to 403 in ${tookMs.toFixed(0)} ms`);
  if (isSoak) expect(tookMs).toBeLessThan(GOAL_MS);
}

const run = (...args: string[]) => cli.run(args);

// One history: each test goes on where the one before it ended.
describe.each(CASES.filter(({ version }) => version === undefined || isInstalled(version)))(
  'an $gateway gateway of a real Consul with real Envoys',
  { timeout: 400_000 },
  (of) => {
    beforeAll(() => start(of), 300_000);
    afterAll(end);

    it('reaches what its client may, in the mesh and behind a terminating gateway', async () => {
      await answers(200, 'orders', '/v1/orders/1');
      await answers(200, 'legacy', '/');
      await answers(403, 'orders', '/v1/orders/1', 'POST');
      await answers(403, 'legacy', '/', 'POST');
      const explained = await run('explain', 'edge', 'legacy');
      expect(explained.out).toContain('edge claims main/edge-app, and the claim counts');
      expect(explained.out).toContain(
        'legacy is behind the terminating gateway exit, which enforces its intentions',
      );
      expect(explained.out).not.toContain('sidecar');
      for (const service of REACHED) {
        const { status, json } = await run('explain', 'edge', service, '--json');
        expect([status, json()]).toMatchObject([0, { allowed: true, arrives: 'yes', mend: null }]);
      }
      const { json } = await run('doctor', '--json');
      const found = (json().findings as { id: string; severity: string; message: string }[]).filter(
        ({ id }) => /^(gateways|reach|claims|rules)/.test(id),
      );
      expect(found.filter(({ severity }) => severity === 'warning')).toEqual([]);
      expect(found).toContainEqual(expect.objectContaining({ id: 'gateways', severity: 'ok' }));
      expect(found).toContainEqual(
        expect.objectContaining({
          id: 'gateways.terminating',
          message: expect.stringContaining('legacy (exit)'),
        }),
      );
    });

    it('answers 403 once its client has lost a scope', async () => {
      await revoke(['legacy:read'], 'orders', '/v1/orders/1');
      await answers(200, 'legacy', '/');
      const { json } = await run('doctor', '--json');
      expect(json().findings).toContainEqual(
        expect.objectContaining({
          id: 'gateways.unopened',
          message: expect.stringContaining(
            `edge -> orders (${of.gateway === 'api' ? 'http-route orders' : `port ${edgePort}`})`,
          ),
        }),
      );
    });

    it('a terminating gateway refuses what its intentions no longer open', async () => {
      await revoke([], 'legacy', '/');
    });

    it('Consul gives callers a terminating gateway beside the sidecar that a service has', async () => {
      await consul.request('PUT', '/v1/config', {
        Kind: 'terminating-gateway',
        Name: 'exit',
        Services: [{ Name: 'legacy' }, { Name: 'orders' }],
      });
      const endpoints = (await consul.request('GET', '/v1/health/connect/orders')) as {
        readonly Service: { readonly Kind: string };
      }[];
      expect(endpoints.map(({ Service }) => Service.Kind).toSorted()).toEqual([
        'connect-proxy',
        'terminating-gateway',
      ]);
      const { json } = await run('doctor', '--json');
      expect(json().findings).toContainEqual(
        expect.objectContaining({ id: 'gateways.mixed', message: expect.stringContaining('orders (exit)') }),
      );
    });
  },
);
