import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { example } from '../../docs/manual.js';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import { type Mesh, startMesh } from '../../stack/envoy.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { until } from '../../support/until.js';

const PATIENCE_MS = 100_000;
const ACTORS = { classify: [{ clientId: 'bot-*', kind: 'agent' }] };
let consul: ConsulHandle;
let cli: CommandLine;
let mesh: Mesh;
let log: string;

/** The listener of the manual, for this port and file. */
const listener = (port: number) =>
  example('docs/how-to/read-access-logs.md', 'listener')
    .replaceAll('21000', String(port))
    .replace('/var/log/envoy/orders.json', log);

beforeAll(async () => {
  consul = await startConsul();
  cli = createCommandLine({
    consul: { address: consul.httpAddress, managementToken: consul.managementToken },
  });
  cli.configure({ actors: ACTORS });
  log = join(cli.directory, 'orders.json');
  mesh = await startMesh(consul, {
    services: [
      {
        name: 'orders',
        protocol: 'http',
        proxyConfig: (port) => ({ envoy_public_listener_json: listener(port) }),
      },
      { name: 'web', protocol: 'http', upstreams: ['orders'], meta: { 'oauth-client-id': 'web-app' } },
      { name: 'bot', protocol: 'http', upstreams: ['orders'], meta: { 'oauth-client-id': 'bot-app' } },
    ],
  });
}, 300_000);
afterAll(async () => {
  await mesh?.stop();
  cli?.close();
  await consul?.stop();
});

async function grant(clients: Readonly<Record<string, readonly string[]>>): Promise<void> {
  cli.idp(
    ...Object.entries(clients).map(([name, scopes]) => ({
      clientId: `${name}-app`,
      scopes,
      attributes: { 'consul-services': name },
    })),
  );
  const { status, err } = await cli.run(['apply', '--yes']);
  expect([status, err]).toEqual([0, expect.any(String)]);
}

const answers = (status: number, from: string) =>
  mesh.waitForStatus(status, { from, to: 'orders', method: 'GET', path: '/v1/orders/7' }, PATIENCE_MS);

interface Line {
  readonly response_code: number;
  readonly scopemesh: {
    readonly source: string;
    readonly agrees: boolean;
    readonly decision: { readonly id: string; readonly reason: string };
  };
}

/** The lines of a caller with this status on which the proxy and the decision agree. */
async function lines(source: string, status: number): Promise<readonly Line[]> {
  if (!existsSync(log) || readFileSync(log, 'utf8') === '') return [];
  const { out } = await cli.run(['logs', log]);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
    .filter(({ response_code, scopemesh }) => response_code === status && scopemesh.source === source)
    .filter(({ scopemesh }) => scopemesh.agrees);
}

it('a request through an Envoy is found with its client, kind and decision, before and after a revocation', async () => {
  await grant({ web: ['orders:read'], bot: ['orders:read'] });
  for (const source of ['web', 'bot']) await answers(200, source);
  await grant({ web: [], bot: ['orders:read'] });
  await answers(403, 'web');
  await until('Envoy has written the refusal', async () => (await lines('web', 403)).length > 0, PATIENCE_MS);

  const { decisions } = (await cli.run(['history', 'main/web-app', '--json'])).json() as {
    decisions: { id: string; subject: string }[];
  };
  const [granted, revoked] = decisions.filter(({ subject }) => subject.endsWith('/orders/web'));
  const opened = {
    destination: 'orders',
    scopes: ['orders:read'],
    rules: ['scopes."orders:read"'],
    verdict: 'allowed',
    unknown: [],
  };
  expect((await lines('web', 200))[0]).toMatchObject({
    path: '/v1/orders/7',
    scopemesh: {
      ...opened,
      client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
      decision: { id: granted?.id, reason: 'ScopeGranted' },
    },
  });
  expect((await lines('bot', 200))[0]).toMatchObject({
    scopemesh: { ...opened, client: { clientId: 'bot-app', actorKind: 'agent' } },
  });
  expect((await lines('web', 403))[0]).toMatchObject({
    response_code_details: 'rbac_access_denied_matched_policy[none]',
    scopemesh: {
      client: { clientId: 'web-app' },
      scopes: [],
      verdict: 'denied',
      decision: { id: revoked?.id, reason: 'ScopeRevoked' },
    },
  });
}, 400_000);

it('a trial counts the requests of the same log that enforcing would refuse', async () => {
  cli.configure({ mode: 'observe', actors: ACTORS });
  cli.idp({ clientId: 'bot-app', scopes: [], attributes: { 'consul-services': 'bot' } });
  await answers(200, 'bot');
  const requests = await until(
    'Envoy has written the request',
    async () => {
      const { status, json } = await cli.run(['trial', '--logs', log, '--json']);
      expect(status).toBe(1);
      const found = json().requests as { groups: { source: string; outcome: string }[] };
      return found.groups.some(({ source }) => source === 'bot') && found;
    },
    PATIENCE_MS,
  );
  expect(requests.groups).toContainEqual(
    expect.objectContaining({
      outcome: 'refused',
      source: 'bot',
      destination: 'orders',
      method: 'GET',
      pathPrefix: '/v1/orders/',
    }),
  );
  // The client of web lost its scope before the trial, so enforcing takes nothing away from it.
  expect(requests.groups).not.toContainEqual(expect.objectContaining({ outcome: 'refused', source: 'web' }));
}, 400_000);
