import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../../../stack/consul.js';
import { type CommandLine, createCommandLine } from '../../../support/command-line.js';
import { registrationIn } from '../../../support/registration-in.js';
import { until } from '../../../support/until.js';

let consul: ConsulHandle;
let cli: CommandLine;

beforeAll(async () => {
  consul = await startConsul();
  cli = createCommandLine({
    consul: { address: consul.httpAddress, managementToken: consul.managementToken },
  });
  for (const Name of ['orders', 'orders-v2', 'canary', 'admin'])
    await write({ Kind: 'service-defaults', Name, Protocol: 'http' });
  cli.idp({ clientId: 'web-app', scopes: [], attributes: { 'consul-services': 'web' } });
  for (const Name of ['web', 'canary'])
    await consul.request('PUT', '/v1/agent/service/register', { Name, Port: 8080 });
  await until('the agent has handed web on', async () => (await obstacles()).length > 0);
}, 60_000);
afterAll(async () => {
  cli?.close();
  await consul?.stop();
});

const write = (entry: object) => consul.request('PUT', '/v1/config', entry);

/** Nothing listens where the agent checks the sidecar, so it never passes. */
const register = (Name: string, proxy: object = {}) =>
  consul.request('PUT', '/v1/agent/service/register', {
    Name,
    Port: 8080,
    Connect: { SidecarService: { Proxy: proxy } },
  });

async function obstacles(destination = 'orders', source = 'web'): Promise<readonly string[]> {
  const { json } = await cli.run(['explain', source, destination, '--json']);
  const { obstacles: found = [] } = json() as {
    readonly obstacles?: readonly { readonly message: string }[];
  };
  return found.map(({ message }) => message);
}

// One history: each step goes on where the one before it ended.
it('explain finds on a real Consul what keeps a call from arriving, and nothing once it is mended', async () => {
  expect(await obstacles()).toEqual([
    'web has no sidecar, so it cannot call through the mesh',
    'orders has no sidecar and no terminating gateway, so the mesh cannot reach it',
  ]);
  await register('web');
  await register('orders');
  const sick = 'none of the 1 endpoints of orders passes its health checks';
  await until('the agent has handed its registrations on', async () => (await obstacles()).includes(sick));
  expect(await obstacles()).toEqual([
    'no sidecar of web has an upstream of orders, and none of these is a transparent proxy',
    sick,
  ]);
  await register('web', {
    Upstreams: [{ DestinationName: 'orders', LocalBindPort: 9191, Config: { protocol: 'grpc' } }],
  });
  const spoken = 'the upstream of web speaks grpc, and orders speaks http';
  await until('the upstream is in the catalog', async () => (await obstacles()).includes(spoken));
  await register('web', { Mode: 'transparent' });
  await until(
    'the proxy is transparent',
    async () => !(await obstacles()).some((text) => text.includes('of web')),
  );
  // A proxy without checks passes.
  await consul.request('PUT', '/v1/catalog/register', {
    Node: 'machine-2',
    Address: '10.0.0.2',
    Service: {
      Kind: 'connect-proxy',
      ID: 'orders-proxy-2',
      Service: 'orders-sidecar-proxy',
      Port: 21000,
      Proxy: { DestinationServiceName: 'orders' },
    },
  });
  const reached = await cli.run(['explain', 'web', 'orders', '--json']);
  expect([reached.status, reached.json()]).toMatchObject([4, { allowed: false, arrives: 'yes' }]);
}, 60_000);

it('explain reads the routing of a real Consul', async () => {
  await write({
    Kind: 'service-splitter',
    Name: 'orders',
    Splits: [{ Weight: 90 }, { Weight: 10, Service: 'canary' }],
  });
  await write({
    Kind: 'service-router',
    Name: 'orders',
    Routes: [{ Match: { HTTP: { PathPrefix: '/admin' } }, Destination: { Service: 'admin' } }],
  });
  await write({ Kind: 'terminating-gateway', Name: 'exit', Services: [{ Name: 'legacy' }] });
  expect(await obstacles()).toEqual([
    'the service-splitter of orders sends some calls to canary, whose own intention decides',
    'the service-router of orders sends some calls to admin, whose own intention decides',
  ]);
  expect((await cli.run(['explain', 'web', 'orders', '--json'])).json()).toMatchObject({ arrives: 'partly' });
  await consul.request('DELETE', '/v1/config/service-router/orders');
  await consul.request('DELETE', '/v1/config/service-splitter/orders');
  await write({ Kind: 'service-resolver', Name: 'orders', Redirect: { Service: 'orders-v2' } });
  const redirected = await cli.run(['explain', 'web', 'orders', '--json']);
  expect(redirected.json()).toMatchObject({
    arrives: 'no',
    obstacles: [{ message: expect.stringContaining('sends every call to orders-v2') }],
  });
  expect(await obstacles('legacy')).toEqual([
    'legacy is behind the terminating gateway exit, which has no instance',
  ]);
}, 60_000);

it('the printed registrations keep all of a service on a real Consul, its claim too, and mend it', async () => {
  const own = {
    Name: 'shop',
    ID: 'shop-1',
    Address: '127.0.0.1',
    Port: 9000,
    Tags: ['v2'],
    Meta: { 'oauth-client-id': 'shop-app', Team: 'Shop' },
    Weights: { Passing: 3, Warning: 0 },
    EnableTagOverride: true,
    TaggedAddresses: { wan: { Address: '198.51.100.7', Port: 80 } },
  };
  await consul.request('PUT', '/v1/agent/service/register', { ...own, Check: { TTL: '1h' } });
  cli.idp({ clientId: 'shop-app', scopes: [], attributes: { 'consul-services': 'shop' } });
  const obstaclesTo = (destination: string) => obstacles(destination, 'shop');
  const about = (message: string, destination: string) =>
    until(
      message,
      async () => (await obstaclesTo(destination)).some((each) => each.includes(message)),
      90_000,
    );
  const registerPrinted = async (destination: string) => {
    const { json } = await cli.run(['explain', 'shop', destination, '--json']);
    const [first] = json().obstacles as { remedy: string }[];
    const file = join(cli.directory, 'FILE.json');
    await writeFile(file, JSON.stringify({ service: registrationIn(first?.remedy ?? '') }));
    const env = { CONSUL_HTTP_ADDR: consul.httpAddress, CONSUL_HTTP_TOKEN: consul.managementToken };
    await promisify(execFile)(consul.binary, ['services', 'register', file], { env });
    await until(
      'the source has its listener',
      async () => (await obstaclesTo(destination)).every((each) => !/^shop |of shop /.test(each)),
      90_000,
    );
  };
  await about('shop has no sidecar', 'orders');
  const before = await consul.request('GET', '/v1/agent/service/shop-1');
  await registerPrinted('orders');
  await about('no sidecar of shop has an upstream of canary', 'canary');
  await registerPrinted('canary');
  expect(await obstaclesTo('orders')).not.toContainEqual(expect.stringContaining('of shop'));
  expect(await consul.request('GET', '/v1/agent/service/shop-1')).toEqual(before);
  expect(before).toMatchObject({ Meta: own.Meta, Tags: own.Tags, Weights: own.Weights });
  expect(await consul.request('GET', '/v1/agent/checks')).toMatchObject({
    'service:shop-1': { Type: 'ttl' },
  });
  const { json } = await cli.run(['explain', 'shop', 'orders', '--json']);
  expect(json()).toMatchObject({ claim: { kind: 'claimed', client: { clientId: 'shop-app' } } });
}, 300_000);
