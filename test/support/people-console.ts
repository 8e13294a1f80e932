import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/clock.js';
import { createEmbeddedIdp, type EmbeddedIdp } from '../../src/embedded/identity-provider/embedded-idp.js';
import { Secret } from '../../src/model/secret.js';
import { freePort } from '../stack/ports.js';
import { type CommandLine, createCommandLine } from './command-line.js';
import { type Mesh, startMesh } from './mesh.js';
import { until } from './until.js';

/** Who signs in at the embedded identity provider, by what they may do. */
export const PEOPLE = {
  nobody: [],
  viewer: ['/engineering'],
  approver: ['/security'],
  operator: ['/platform'],
  ana: ['/platform', '/security'],
  ben: ['/platform', '/security'],
} as const;

export interface PeopleConsole {
  /** Of the daemon itself. */
  readonly address: string;
  /** Of the console, as browsers see it. */
  readonly origin: string;
  readonly idp: EmbeddedIdp;
  readonly mesh: Mesh;
  readonly cli: CommandLine;
  /** Changes a scope of a client. No event tells the daemon of it: it is inferred. */
  scope(method: 'POST' | 'DELETE', client: string, scope: string): Promise<void>;
  close(): Promise<void>;
}

/** A daemon on an embedded Consul, with people who sign in. `url`: behind a proxy; else on loopback. */
export async function startPeopleConsole(
  http: Readonly<Record<string, unknown>> = {},
  url?: string,
): Promise<PeopleConsole> {
  const mesh = await startMesh();
  await mesh.speaks('orders', 'http');
  await mesh.register('orders');
  for (const service of ['web', 'reports']) await mesh.register(service, { client: `${service}-app` });
  const address = `http://127.0.0.1:${await freePort()}`;
  const origin = url ?? address;
  const secret = new Secret(randomBytes(24).toString('base64url'));
  const idp = await createEmbeddedIdp({
    clients: ['web', 'reports'].map((name) => ({
      clientId: `${name}-app`,
      scopes: ['orders:read'],
      attributes: { 'consul-services': name },
    })),
    people: Object.entries(PEOPLE).map(([subject, groups]) => ({ subject, groups })),
    loginClient: {
      clientId: 'scopemesh-console',
      secret,
      redirectUri: `${origin}/login/main/callback`,
      afterLogout: `${origin}/`,
      backChannelLogout: `${address}/events/main/logout`,
    },
    clock: systemClock,
  });
  const cli = createCommandLine(mesh);
  const login = { provider: 'main', clientId: 'scopemesh-console', clientSecret: secret.reveal() };
  cli.configure({
    providers: [
      { name: 'main', kind: 'oidc', issuer: idp.issuer, directory: `${idp.issuer}/directory`, poll: '1s' },
    ],
    guards: { approvers: 2, maxRevocations: { percent: 0, atLeast: 0 }, breakGlass: {} },
    http: {
      listen: address.slice('http://'.length),
      console: {
        url: origin,
        login: [{ ...login, scopes: ['openid', 'profile', 'groups'] }],
        roles: { viewer: ['/engineering'], approver: ['/security'], operator: ['/platform'] },
      },
      ...http,
    },
  });
  const stop = new AbortController();
  const running = cli.run(['--log-level', 'error', 'run'], { signal: stop.signal });
  const ended = running.then(({ out, err }) => Promise.reject(new Error(`the daemon ended: ${out}${err}`)));
  ended.catch(() => {});
  const opened = until('the first edges', async () => {
    const { web, reports } = (await mesh.access('orders')) ?? {};
    return web !== undefined && reports !== undefined;
  });
  await Promise.race([opened, ended]);
  return {
    ...{ address, origin, idp, mesh, cli },
    async scope(method, client, scope) {
      const answer = await fetch(`${idp.issuer}/clients/${client}/scopes/${scope}`, {
        method,
        headers: { authorization: `Bearer ${idp.managementToken.reveal()}` },
      });
      if (!answer.ok) throw new Error(`${method} ${client} ${scope}: ${answer.status}`);
    },
    async close() {
      stop.abort(new Error('stopped by a signal'));
      await running;
      await idp.close();
      await mesh.consul.close();
      cli.close();
    },
  };
}
