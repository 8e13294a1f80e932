import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { obstaclesOf, type ReachFacts } from '../../../src/plan/reach.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
import { registrationIn } from '../../support/registration-in.js';

const UP = { registered: 1, passing: 1 };
const PROXY = {
  id: 'web-proxy',
  node: 'machine-1',
  service: { id: 'web-proxy', name: 'web-proxy', kind: 'connect-proxy' },
  upstreams: ['orders'],
  reachesAll: false,
  upstreamProtocols: new Map(),
};
const REACHABLE: ReachFacts = {
  source: 'web',
  destination: 'orders',
  proxies: [PROXY],
  sourceInstances: [],
  destinationInstances: [],
  protocol: 'http',
  health: UP,
  gateways: [],
  routes: [],
};

describe('what keeps an allowed call from arriving', () => {
  const none = { registered: 0, passing: 0 };
  const sick = { registered: 2, passing: 0 };
  const other = { ...PROXY, upstreams: ['billing'] };
  const speaking = (protocol: string) => ({ ...PROXY, upstreamProtocols: new Map([['orders', protocol]]) });
  const edge = (...routes: readonly (readonly [service: string, protocol: string])[]) => ({
    kind: 'ingress-gateway' as const,
    ...UP,
    routes: routes.map(([service, protocol]) => ({ service, protocol, place: 'port 80' })),
  });
  const to = (kind: string, ...services: string[]) => [
    { kind, targets: services.map((service) => ({ service })) },
  ];
  it.each<[string, Partial<ReachFacts>, readonly string[]]>([
    ['nothing', {}, []],
    ['a source without a sidecar', { proxies: [] }, ['no-sidecar blocks']],
    ['a sidecar without the upstream', { proxies: [other] }, ['no-upstream blocks']],
    ['one of two sidecars without it', { proxies: [other, PROXY] }, ['no-upstream']],
    ['not a transparent proxy', { proxies: [{ ...other, reachesAll: true }] }, []],
    ['an upstream of another protocol', { proxies: [speaking('tcp')] }, ['protocol blocks']],
    ['not an upstream of the same protocol', { proxies: [speaking('HTTP')] }, []],
    ['a destination without a sidecar', { health: none }, ['no-endpoint blocks']],
    ['a destination that is not healthy', { health: sick }, ['unhealthy blocks']],
    ['not one behind a gateway', { health: none, gateways: [{ name: 'exit', ...UP }] }, []],
    [
      'a gateway that is gone',
      { health: none, gateways: [{ name: 'exit', ...none }] },
      ['no-endpoint blocks'],
    ],
    [
      'a gateway that is not healthy',
      { health: none, gateways: [{ name: 'exit', ...sick }] },
      ['unhealthy blocks'],
    ],
    ['a gateway beside the sidecars', { gateways: [{ name: 'exit', ...UP }] }, ['routed']],
    ['a source gateway without a route', { proxies: [], gateway: edge() }, ['no-route blocks']],
    ['not one with a route', { proxies: [], gateway: edge(['orders', 'http']) }, []],
    ['not one with a wildcard of the protocol', { proxies: [], gateway: edge(['*', 'http']) }, []],
    ['a wildcard of another protocol', { proxies: [], gateway: edge(['*', 'grpc']) }, ['no-route blocks']],
    ['a route of another protocol', { proxies: [], gateway: edge(['orders', 'tcp']) }, ['protocol blocks']],
    [
      'a source gateway that does not run',
      { proxies: [], gateway: { ...edge(['orders', 'http']), ...none } },
      ['no-endpoint blocks'],
    ],
    ['a resolver to another service', { routes: to('service-resolver', 'v2') }, ['routed blocks']],
    ['not a resolver with subsets', { routes: to('service-resolver', 'orders') }, []],
    ['a splitter in part', { routes: to('service-splitter', 'orders', 'v2') }, ['routed']],
    ['a router', { routes: to('service-router', 'v2') }, ['routed']],
  ])('%s', (_, facts, expected) => {
    const found = obstaclesOf({ ...REACHABLE, ...facts });
    expect(found.map(({ kind, blocks }) => `${kind}${blocks ? ' blocks' : ''}`)).toEqual(expected);
    for (const { remedy } of found) expect(remedy).not.toBe('');
  });

  it('prints no start of a gateway that takes its claim away', () => {
    const remedies = [none, sick].map(
      (health) =>
        obstaclesOf({ ...REACHABLE, gateway: { ...edge(['orders', 'http']), ...health } })[0]?.remedy,
    );
    expect(remedies).toEqual([
      expect.stringMatching(
        /register -kind ingress-gateway .* -meta oauth-client-id=CLIENT; .* -proxy-id web$/,
      ),
      expect.stringContaining('-gateway=ingress -proxy-id ID'),
    ]);
    for (const remedy of remedies) expect(remedy).not.toContain('-register');
  });
});

describe('reach', () => {
  let mesh: Mesh;
  let cli: CommandLine;
  const proxy = (service: string, Upstreams: readonly object[] = []) =>
    mesh.request('PUT', '/v1/catalog/register', {
      Node: 'machine-1',
      SkipNodeUpdate: true,
      Service: {
        Kind: 'connect-proxy',
        ID: `${service}-proxy`,
        Service: `${service}-proxy`,
        Port: 21000,
        Proxy: { DestinationServiceName: service, Upstreams },
      },
    });

  beforeAll(async () => {
    mesh = await startMesh();
    cli = createCommandLine(mesh);
    await mesh.speaks('orders', 'http');
    await mesh.register('orders');
    await mesh.register('web', { client: 'web-app' });
  });
  beforeEach(() =>
    cli.idp({ clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } }),
  );
  afterAll(async () => {
    cli.close();
    await mesh.consul.close();
  });

  // One history: each step mends what the one before it found.
  it('names each obstacle with what mends it, until calls arrive', async () => {
    const bare = await cli.run(['reach', 'web', 'orders']);
    expect(bare.status).toBe(4);
    expect(bare.out).toContain('not reachable  web -> orders');
    expect(bare.out).toContain('web has no sidecar, so it cannot call through the mesh');
    expect(registrationIn(bare.out)).toEqual({
      id: 'web',
      name: 'web',
      meta: { 'oauth-client-id': 'web-app' },
      port: 8080,
      weights: { passing: 1, warning: 1 },
      connect: {
        sidecar_service: { proxy: { upstreams: [{ destination_name: 'orders', local_bind_port: 9191 }] } },
      },
    });
    expect(bare.out).toContain('orders has no sidecar and no terminating gateway');
    expect(bare.out).not.toContain('is not registered');
    expect((await cli.run(['reach', 'web', 'oders'])).out).toContain('oders is not registered in Consul');
    await proxy('web', [{ DestinationName: 'billing', LocalBindPort: 9191, Config: { limits: { N: 1 } } }]);
    expect(registrationIn((await cli.run(['reach', 'web', 'orders'])).out)).toEqual({
      kind: 'connect-proxy',
      id: 'web-proxy',
      name: 'web-proxy',
      port: 21000,
      weights: { passing: 1, warning: 1 },
      proxy: {
        destination_service_name: 'web',
        upstreams: [
          { destination_name: 'billing', local_bind_port: 9191, config: { limits: { N: 1 } } },
          { destination_name: 'orders', local_bind_port: 9192 },
        ],
      },
    });
    await proxy('web', [{ DestinationName: 'orders', LocalBindPort: 9191, Config: { protocol: 'grpc' } }]);
    await proxy('orders');
    const spoken = await cli.run(['reach', 'web', 'orders']);
    expect(spoken.out).toContain('the upstream of web speaks grpc, and orders speaks http');
    await proxy('web', [{ DestinationName: 'orders', LocalBindPort: 9191 }]);
    const { status, json } = await cli.run(['reach', 'web', 'orders', '--json']);
    expect([status, json()]).toEqual([
      0,
      { reachable: true, source: 'web', destination: 'orders', obstacles: [], behind: [] },
    ]);
  });

  it('says of a route to another datacenter or peer which mesh gateways are here', async () => {
    const resolve = (Redirect: object) =>
      mesh.request('PUT', '/v1/config', { Kind: 'service-resolver', Name: 'far', Redirect });
    const far = async () => (await cli.run(['reach', 'web', 'far'])).out;
    await resolve({ Service: 'far', Datacenter: 'dc2' });
    const none = await far();
    expect(none).toContain('sends every call to far in datacenter dc2');
    expect(none).toContain('this datacenter has no mesh gateway, and calls with the MeshGateway mode local');
    await mesh.request('PUT', '/v1/catalog/register', {
      Node: 'machine-1',
      SkipNodeUpdate: true,
      Service: { Kind: 'mesh-gateway', ID: 'border-1', Service: 'border', Port: 8443 },
    });
    expect(await far()).toContain('1 of 1 mesh gateways of this datacenter pass their checks');
    await resolve({ Service: 'far', Peer: 'east' });
    expect(await far()).toMatch(
      /to far in peer east, .*\n.*1 of 1 mesh gateways .* the intention in peer east cannot be read from here/,
    );
  });

  it('prints no registration for the name of a sidecar or a gateway', async () => {
    const { out } = await cli.run(['reach', 'border', 'web-proxy']);
    expect(out).toContain('border is registered as mesh-gateway');
    expect(out).toContain('web-proxy is registered as connect-proxy');
    expect(out).not.toContain('consul services register');
  });

  it('is in doctor and in a plan for what is open, in doctor by the kind of obstacle', async () => {
    await mesh.register('job', { client: 'job' });
    const client = (clientId: string, service: string) => ({
      clientId,
      scopes: ['orders:read'],
      attributes: { 'consul-services': service },
    });
    cli.idp(client('web-app', 'web'));
    await cli.run(['apply', '--yes']);
    const examine = async () => {
      const { json } = await cli.run(['doctor', '--json']);
      return (json().findings as { id: string; message: string }[]).filter(({ id }) =>
        id.startsWith('reach'),
      );
    };
    expect(await examine()).toEqual([expect.objectContaining({ id: 'reach', severity: 'ok' })]);
    cli.idp(client('web-app', 'web'), client('job', 'job'));
    await cli.run(['apply', '--yes']);
    expect(await examine()).toMatchObject([
      { id: 'reach.no-sidecar', severity: 'warning', message: expect.stringContaining('job has no sidecar') },
    ]);
    const { changes, reach } = (await cli.run(['plan', '--json'])).json();
    expect([changes, reach]).toMatchObject([
      [],
      { checked: 2, edges: [{ source: { name: 'job' }, obstacles: [{ kind: 'no-sidecar' }] }] },
    ]);
    const assumed = await cli.run(['plan', '--what-if', 'client=job,+scope=nothing', '--json']);
    expect(assumed.json()).toMatchObject({ reach: { checked: 0, edges: [] } });
  });

  it('reads resolvers, splitters, routers and terminating gateways', async () => {
    const write = (entry: object) => mesh.request('PUT', '/v1/config', entry);
    await write({ Kind: 'service-resolver', Name: 'orders', Redirect: { Service: 'orders-v2' } });
    await write({
      Kind: 'service-splitter',
      Name: 'orders',
      Splits: [{ Weight: 90 }, { Weight: 10, Service: 'canary' }],
    });
    await write({ Kind: 'service-router', Name: 'orders', Routes: [{ Destination: { Service: 'admin' } }] });
    await write({ Kind: 'terminating-gateway', Name: 'exit', Services: [{ Name: 'legacy' }] });
    const { json } = await cli.run(['reach', 'web', 'orders', '--json']);
    expect((json().obstacles as { message: string }[]).map(({ message }) => message)).toEqual([
      'the service-resolver of orders sends every call to orders-v2, whose own intention decides',
      'the service-splitter of orders sends some calls to canary, whose own intention decides',
      'the service-router of orders sends some calls to admin, whose own intention decides',
    ]);
    expect((await cli.run(['reach', 'web', 'legacy'])).out).toContain(
      'legacy is behind the terminating gateway exit, which has no instance',
    );
  });
});
