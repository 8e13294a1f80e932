import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { type Mesh, startMesh } from '../support/mesh.js';

let mesh: Mesh;
let cli: CommandLine;
const web = { clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } };

beforeEach(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  await mesh.speaks('orders', 'http');
  await mesh.register('orders');
  await mesh.register('web', { client: 'web-app' });
  cli.idp(web);
  await sidecar('orders');
  await cli.run(['apply', '--yes']);
});
afterEach(async () => {
  cli.close();
  await mesh.consul.close();
});

async function sidecar(upstream: string | undefined, mode = ''): Promise<void> {
  await mesh.request('PUT', '/v1/catalog/register', {
    Node: 'machine-1',
    Address: '10.0.0.1',
    SkipNodeUpdate: true,
    Service: {
      ID: 'web-proxy',
      Service: 'web-sidecar-proxy',
      Kind: 'connect-proxy',
      Port: 21000,
      Proxy: {
        DestinationServiceName: 'web',
        ...(mode === '' ? {} : { Mode: mode }),
        Upstreams: upstream === undefined ? [] : [{ DestinationName: upstream, LocalBindPort: 9191 }],
      },
    },
  });
}

describe('explain', () => {
  it('says which claim, client, scope and intention let a call through, and which decision made it', async () => {
    const { status, json } = await cli.run(['explain', 'web', 'orders', '--json']);
    expect(status).toBe(0);
    expect(json()).toMatchObject({
      allowed: true,
      verdict: 'partly',
      decidedBy: { precedence: 9, source: 'web', destination: 'orders', isOwned: true },
      claim: { kind: 'claimed', client: { provider: 'main', clientId: 'web-app' } },
      client: { clientId: 'web-app', exists: true, enabled: true, grants: ['orders:read'] },
      openings: [{ scope: 'orders:read' }],
      holds: [],
      pending: null,
      reach: 'all',
      lastDecision: { data: { reason: 'ScopeGranted', outcome: 'applied' } },
    });
  });

  it.each([
    ['GET', '/v1/orders', 0, 'allowed'],
    ['get', '/v1/orders/7?x=1', 0, 'allowed'],
    ['POST', '/v1/orders', 4, 'denied'],
    ['GET', '/v1/ordersx', 4, 'denied'],
  ])('judges %s %s and exits %i', async (method, path, status, verdict) => {
    const ran = await cli.run(['explain', 'web', 'orders', '--method', method, '--path', path, '--json']);
    expect(ran.status).toBe(status);
    expect(ran.json()).toMatchObject({ verdict, allowed: status === 0 });
  });

  it('exits 4 where no intention is about the call, and says that the default policy decides', async () => {
    const { status, out } = await cli.run(['explain', 'orders', 'web']);
    expect(status).toBe(4);
    expect(out).toContain('not allowed  orders -> web');
    expect(out).toContain("the mesh's default policy decides: deny");
    expect(out).toContain('orders claims no OAuth client');
    await mesh.write('web', [{ Name: 'orders', Action: 'deny' }]);
    expect((await cli.run(['explain', 'orders', 'web'])).out).toContain(
      'orders -> web denies everything (precedence 9',
    );
  });

  it('follows Consul in letting only the most exact intention decide, whoever wrote it', async () => {
    const decider = async () => (await cli.run(['explain', 'batch', 'billing', '--json'])).json();
    await mesh.write('*', [{ Name: '*', Action: 'allow' }]);
    expect(await decider()).toMatchObject({ allowed: true, decidedBy: { precedence: 5, isOwned: false } });
    await mesh.write('*', [
      { Name: '*', Action: 'allow' },
      { Name: 'batch', Action: 'deny' },
    ]);
    expect(await decider()).toMatchObject({ allowed: false, decidedBy: { precedence: 6 } });
    await mesh.write('billing', [{ Name: '*', Action: 'allow' }]);
    expect(await decider()).toMatchObject({ allowed: true, decidedBy: { precedence: 8 } });
    await mesh.write('billing', [
      { Name: '*', Action: 'allow' },
      { Name: 'batch', Action: 'deny' },
    ]);
    expect(await decider()).toMatchObject({ allowed: false, decidedBy: { precedence: 9 } });
    expect((await decider()).intentions).toHaveLength(4);
  });

  it('tells what is held, and that the claim does not count', async () => {
    cli.idp({ ...web, attributes: {} });
    await mesh.register('api', { client: 'web-app' });
    const { status, out } = await cli.run(['explain', 'api', 'orders']);
    expect(status).toBe(4);
    expect(out).toContain('it does not count: ClaimUnconfirmed');
    expect(out).toContain('held');
  });

  it('tells what is due where Consul lags behind the IdP', async () => {
    cli.idp({ ...web, scopes: [] });
    const { status, json } = await cli.run(['explain', 'web', 'orders', '--json']);
    expect(status).toBe(0);
    expect(json()).toMatchObject({
      allowed: true,
      wanted: null,
      pending: { action: 'revoke', reason: 'ScopeRevoked' },
    });
  });

  it.each([
    ['another', '', 'has no upstream orders'],
    [undefined, '', 'has no upstream orders'],
    ['another', 'transparent', undefined],
    ['orders', '', undefined],
  ])('with upstream %s in mode %j it says %s', async (upstream, mode, note) => {
    await sidecar(upstream, mode);
    const { status, out } = await cli.run(['explain', 'web', 'orders']);
    expect(status).toBe(0);
    if (note === undefined) expect(out).not.toContain('note');
    else expect(out).toContain(note);
  });

  it('says that a source without a sidecar cannot call through the mesh', async () => {
    await mesh.deregister('web-proxy');
    expect((await cli.run(['explain', 'web', 'orders'])).out).toContain('web has no sidecar registered');
  });

  it('exits 1 when it cannot read, and for a path that is none', async () => {
    expect((await cli.run(['explain', 'web', 'orders', '--path', 'orders'])).status).toBe(1);
    expect((await cli.run(['explain', 'web'])).status).toBe(1);
    cli.brokenIdp('');
    expect((await cli.run(['explain', 'web', 'orders'])).status).toBe(1);
  });
});
