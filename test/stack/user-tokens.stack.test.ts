import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { type KeySetServer, startKeySetServer } from '../support/key-set-server.js';
import { until } from '../support/until.js';
import { type ConsulHandle, startConsul } from './consul.js';
import { type Mesh, startMesh } from './envoy.js';
import { isInstalled } from './installed.js';
import { freePort } from './ports.js';

/*
 * `web` and the agent `bot` may call `orders` for a user of the provider `main`, and `shop` for one of `other`; `job` needs
 * no user. `late` is a destination whose proxy starts while `main` is away.
 */
const VERSION = 'consul-1.16';
const MAX_MS = 90_000;
const CALLERS = ['web', 'bot', 'shop', 'job'];
const PATH = '/v1/orders/1';

let consul: ConsulHandle;
let main: KeySetServer;
let other: KeySetServer;
let mesh: Mesh;
let cli: CommandLine;
let daemon: Promise<unknown> | undefined;
const stop = new AbortController();

const provider = (name: string, { address }: KeySetServer, document: string) => ({
  name,
  kind: 'oidc',
  issuer: address,
  directory: document,
  userAudience: 'calls',
  poll: '1s',
});

const client = (service: string, ...scopes: string[]) => ({
  clientId: `${service}-app`,
  grantTypes: ['client_credentials'],
  attributes: { 'consul-services': service },
  scopes,
});

async function startWorld(): Promise<void> {
  [consul, main, other] = await Promise.all([
    startConsul({ version: VERSION }),
    startKeySetServer(),
    startKeySetServer(),
  ]);
  const caller = (name: string) => ({
    name,
    protocol: 'http' as const,
    upstreams: ['orders', 'late'],
    meta: { 'oauth-client-id': `${name}-app`, 'oauth-provider': name === 'shop' ? 'other' : 'main' },
  });
  mesh = await startMesh(consul, {
    services: [{ name: 'orders', protocol: 'http' }, ...CALLERS.map(caller)],
    drainTimeSeconds: 1,
  });
  cli = createCommandLine({
    consul: { address: consul.httpAddress, managementToken: consul.managementToken },
  });
  const rule = { to: 'orders', path: '/v1/orders', provider: 'main' };
  const user = { ...rule, user: 'required' };
  cli.configure({
    providers: [
      provider('main', main, join(cli.directory, 'clients.json')),
      provider('other', other, join(cli.directory, 'shop.json')),
    ],
    scopes: {
      'orders:read': [user, { ...user, provider: 'other' }],
      'orders:run': rule,
      'late:read': { ...user, to: 'late' },
    },
    actors: { classify: [{ clientId: 'bot-*', kind: 'agent' }], agent: { onBehalfOf: 'human' } },
    http: { listen: `127.0.0.1:${await freePort()}` },
  });
  cli.idp(
    client('web', 'orders:read', 'late:read'),
    client('bot', 'orders:run'),
    client('job', 'orders:run'),
  );
  await writeFile(
    join(cli.directory, 'shop.json'),
    JSON.stringify({ clients: [client('shop', 'orders:read')] }),
  );
  expect(await cli.run(['validate'])).toMatchObject({ status: 0 });
  daemon = cli.run(['run'], { signal: stop.signal });
}

const call = (from: string, jwt?: string, to = 'orders') =>
  mesh.call(from, to, 'GET', PATH, jwt === undefined ? {} : { authorization: `Bearer ${jwt}` });

const answers = (status: number, from: string, token?: () => Promise<string>, to?: string) =>
  until(
    `${from} is answered ${status}`,
    async () => (await call(from, await token?.(), to)) === status || undefined,
    MAX_MS,
  );

const users = (claims: Readonly<Record<string, unknown>> = {}) =>
  main.sign({ sub: 'alice', aud: 'calls', client_id: 'portal', ...claims });

// One history: each test goes on where the one before it ended.
describe.skipIf(!isInstalled(VERSION))(
  `a user's token on a real Consul 1.16.1 without its optional extensions, with real Envoys (install.sh ${VERSION})`,
  { timeout: 400_000 },
  () => {
    beforeAll(startWorld, 300_000);
    afterAll(async () => {
      stop.abort(new Error('the test is over'));
      await daemon;
      await mesh?.stop();
      cli?.close();
      await Promise.all([main?.close(), other?.close()]);
      await consul?.stop();
    });

    it('opens a call that no other token opens', async () => {
      await answers(200, 'web', users);
      const now = Math.floor(Date.now() / 1000);
      const refused = [
        undefined,
        await users({ exp: now - 300 }),
        await users({ aud: 'consul' }),
        await users({ iss: 'https://other.example.com' }),
        await main.forge({ sub: 'alice', aud: 'calls' }),
        await other.sign({ sub: 'alice', aud: 'calls' }),
      ];
      const statuses = await Promise.all(refused.map((jwt) => call('web', jwt)));
      expect(statuses.filter((status) => status !== 401 && status !== 403)).toEqual([]);
      expect(await call('web', await users())).toBe(200);
    });

    it('of an agent names the agent that acts for the person; its own token is refused', async () => {
      const acting = { client_id: 'bot-app', act: { sub: 'bot-app' } };
      await answers(200, 'bot', () => users(acting));
      for (const claims of [
        { sub: 'bot-app', client_id: 'bot-app' },
        { client_id: 'bot-app' },
        { client_id: 'bot-app', act: { sub: 'web-app' } },
        { client_id: 'web-app', act: { sub: 'bot-app' } },
      ])
        expect(await call('bot', await users(claims))).toBe(403);
    });

    it('of one provider does not open what needs one of another at the same destination', async () => {
      await answers(200, 'shop', () => other.sign({ sub: 'ann', aud: 'calls' }));
      expect(await call('shop', await users())).toBe(403);
      expect(await call('web', await other.sign({ sub: 'ann', aud: 'calls' }))).toBe(403);
    });

    it('is not needed by a source that may use the same path without one', async () => {
      await answers(200, 'job');
      expect(await call('web')).not.toBe(200);
    });

    it('opens calls soon after the provider is back that was away when the proxy started', async () => {
      main.setHealth('failing');
      await mesh.add({ name: 'late', protocol: 'http' });
      const asked = main.asked;
      await until('the proxy asks for keys', async () => main.asked > asked || undefined, MAX_MS);
      expect(await call('web', await users(), 'late')).not.toBe(200);
      main.setHealth('well');
      const began = performance.now();
      await answers(200, 'web', users, 'late');
      console.log(`late: the provider is back to 200 in ${(performance.now() - began).toFixed(0)} ms`);
    });

    it('opens nothing after its scope is gone', async () => {
      cli.idp(client('web'), client('bot', 'orders:run'), client('job', 'orders:run'));
      await answers(403, 'web', users);
      await answers(200, 'job');
    });
  },
);
