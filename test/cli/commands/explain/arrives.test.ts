import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../../support/command-line.js';
import { type Mesh, startMesh } from '../../../support/mesh.js';
import { registrationIn } from '../../../support/registration-in.js';

describe('explain says whether a call arrives', () => {
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

  const explain = async (...names: readonly string[]) => {
    const run = await cli.run(['explain', ...names, '--json']);
    return { ...run, document: run.json() };
  };

  // One history: each step mends what the one before it found.
  it('and what to mend first: that nothing allows it, then its way', async () => {
    const closed = await cli.run(['explain', 'web', 'orders']);
    expect([closed.status, closed.out]).toEqual([
      4,
      expect.stringMatching(/^not allowed {2}web -> orders$/m),
    ]);
    expect(closed.out).toMatch(/^ {2}mend +write the change that is due/m);
    expect(closed.out).not.toContain('consul services register');
    await cli.run(['apply', '--yes']);

    const bare = await cli.run(['explain', 'web', 'orders']);
    expect(bare.status).toBe(0);
    expect(bare.out).toMatch(/^ {2}arrives +no$/m);
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
    const misspelt = await cli.run(['explain', 'web', 'oders']);
    expect([misspelt.status, misspelt.err]).toEqual([
      1,
      expect.stringContaining('no service has the name oders'),
    ]);

    await proxy('web', [{ DestinationName: 'billing', LocalBindPort: 9191, Config: { limits: { N: 1 } } }]);
    // Both are on the same node.
    await proxy('job', [{ DestinationName: 'billing', LocalBindPort: 9192 }]);
    await mesh.request('PUT', '/v1/catalog/register', {
      Node: 'machine-1',
      SkipNodeUpdate: true,
      Service: { ID: 'db', Service: 'db', Port: 9193 },
    });
    expect(registrationIn((await cli.run(['explain', 'web', 'orders'])).out)).toEqual({
      kind: 'connect-proxy',
      id: 'web-proxy',
      name: 'web-proxy',
      port: 21000,
      weights: { passing: 1, warning: 1 },
      proxy: {
        destination_service_name: 'web',
        upstreams: [
          { destination_name: 'billing', local_bind_port: 9191, config: { limits: { N: 1 } } },
          { destination_name: 'orders', local_bind_port: 9194 },
        ],
      },
    });
    await proxy('web', [{ DestinationName: 'orders', LocalBindPort: 9191, Config: { protocol: 'grpc' } }]);
    await proxy('orders');
    const spoken = await cli.run(['explain', 'web', 'orders']);
    expect(spoken.out).toContain('the upstream of web speaks grpc, and orders speaks http');
    expect(spoken.out).toMatch(/^ {2}mend +remove protocol from the Config of the upstream/m);
    await proxy('web', [{ DestinationName: 'orders', LocalBindPort: 9191 }]);
    const { status, document } = await explain('web', 'orders');
    expect([status, document]).toMatchObject([
      0,
      { allowed: true, arrives: 'yes', obstacles: [], behind: [], mend: null },
    ]);
  });

  it('of a call that arrives and that nothing allows, with status 4', async () => {
    await proxy('job', [{ DestinationName: 'orders', LocalBindPort: 9192 }]);
    await mesh.register('job', {});
    const { status, document } = await explain('job', 'orders');
    expect([status, document]).toMatchObject([
      4,
      { allowed: false, arrives: 'yes', mend: expect.stringContaining('register job with the meta') },
    ]);
    expect((await cli.run(['explain', 'job', 'orders'])).out).toMatch(
      /^ {2}arrives +yes, once it is allowed$/m,
    );
  });

  it('of a route to another datacenter or peer, with the mesh gateways that are here', async () => {
    const resolve = (Redirect: object) =>
      mesh.request('PUT', '/v1/config', { Kind: 'service-resolver', Name: 'far', Redirect });
    const far = async () =>
      ((await explain('web', 'far')).document.obstacles as { message: string; remedy: string }[])
        .flatMap(({ message, remedy }) => [message, remedy])
        .join('\n');
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

  it('with no registration for the name of a sidecar or a gateway', async () => {
    const out = JSON.stringify((await explain('border', 'web-proxy')).document.obstacles);
    expect(out).toContain('border is registered as mesh-gateway');
    expect(out).toContain('web-proxy is registered as connect-proxy');
    expect(out).not.toContain('consul services register');
  });

  it('as doctor and a plan do for what is open, in doctor by the kind of obstacle', async () => {
    await mesh.register('cron', { client: 'cron' });
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
    cli.idp(client('web-app', 'web'), client('cron', 'cron'));
    await cli.run(['apply', '--yes']);
    expect(await examine()).toMatchObject([
      {
        id: 'reach.no-sidecar',
        severity: 'warning',
        message: expect.stringContaining('cron has no sidecar'),
      },
    ]);
    const { changes, reach } = (await cli.run(['plan', '--json'])).json();
    expect([changes, reach]).toMatchObject([
      [],
      { checked: 2, edges: [{ source: { name: 'cron' }, obstacles: [{ kind: 'no-sidecar' }] }] },
    ]);
    const assumed = await cli.run(['plan', '--what-if', 'client=cron,+scope=nothing', '--json']);
    expect(assumed.json()).toMatchObject({ reach: { checked: 0, edges: [] } });
  });

  it('by resolvers, splitters, routers and terminating gateways', async () => {
    const write = (entry: object) => mesh.request('PUT', '/v1/config', entry);
    await write({ Kind: 'service-resolver', Name: 'orders', Redirect: { Service: 'orders-v2' } });
    await write({
      Kind: 'service-splitter',
      Name: 'orders',
      Splits: [{ Weight: 90 }, { Weight: 10, Service: 'canary' }],
    });
    await write({ Kind: 'service-router', Name: 'orders', Routes: [{ Destination: { Service: 'admin' } }] });
    await write({ Kind: 'terminating-gateway', Name: 'exit', Services: [{ Name: 'legacy' }] });
    const { document } = await explain('web', 'orders');
    expect((document.obstacles as { message: string }[]).map(({ message }) => message)).toEqual([
      'the service-resolver of orders sends every call to orders-v2, whose own intention decides',
      'the service-splitter of orders sends some calls to canary, whose own intention decides',
      'the service-router of orders sends some calls to admin, whose own intention decides',
    ]);
    expect((await cli.run(['explain', 'web', 'legacy'])).out).toContain(
      'legacy is behind the terminating gateway exit, which has no instance',
    );
  });
});
