import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CommandLine, DoctorFinding } from '../../support/command-line.js';
import { API_GATEWAY } from '../../support/gateway-entries.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;

const CLIENT = { clientId: 'edge-app', attributes: { 'consul-services': 'edge' } };

async function start(version?: string): Promise<void> {
  ({ mesh, cli } = await openCommandLine(version));
  await mesh.speaks('orders', 'http');
}

const write = (entry: object) => mesh.request('PUT', '/v1/config', entry);
const place = (Kind: string, Service: string, more: object = {}) =>
  mesh.request('PUT', '/v1/catalog/register', {
    Node: 'machine-1',
    SkipNodeUpdate: true,
    Service: { Kind, ID: `${Service}-${Kind}`, Service, Port: 8443, ...more },
  });
const gateway = (kind: string) => place(kind, 'edge', { Meta: { 'oauth-client-id': 'edge-app' } });
const sidecarOf = (service: string) =>
  place('connect-proxy', `${service}-proxy`, { Proxy: { DestinationServiceName: service } });
const ingress = (...services: string[]) =>
  write({
    Kind: 'ingress-gateway',
    Name: 'edge',
    Listeners: [{ Port: 443, Protocol: 'http', Services: services.map((Name) => ({ Name })) }],
  });

async function findings(prefix: RegExp): Promise<readonly DoctorFinding[]> {
  const { json } = await cli.run(['doctor', '--json']);
  return (json().findings as DoctorFinding[]).filter(({ id }) => prefix.test(id));
}

describe('an ingress gateway', () => {
  // One history: each step goes on where the one before it ended.
  it('claims a client, and doctor compares its routes with its intentions', async () => {
    await start();
    await mesh.register('orders');
    await sidecarOf('orders');
    await gateway('ingress-gateway');
    // Somebody who writes entries must not be able to hide the others from doctor.
    await write({ Kind: 'terminating-gateway', Name: 'a\nb', Services: [{ Name: 'orders' }] });
    cli.idp({ ...CLIENT, scopes: ['orders:read'] });
    const planned = await cli.run(['plan', '--json']);
    expect(planned.json().reach).toMatchObject({ edges: [{ obstacles: [{ kind: 'no-route' }] }] });
    await cli.run(['apply', '--yes']);
    expect(await mesh.access('orders')).toEqual({ edge: expect.stringContaining('/v1/orders') });
    const unrouted = await cli.run(['explain', 'edge', 'orders']);
    expect(unrouted.out).toContain('edge claims main/edge-app, and the claim counts');
    expect(unrouted.out).toContain('no route of the ingress-gateway edge leads to orders');
    expect(unrouted.out).not.toContain('sidecar');
    await ingress('billing', 'c\u0007d');
    expect(await findings(/^(gateways|reach)/)).toMatchObject([
      { id: 'reach.no-route', severity: 'warning' },
      { id: 'gateways.unopened', message: expect.stringContaining('edge -> billing (port 443)') },
      { id: 'gateways.unrouted', message: expect.stringContaining('edge -> orders') },
      { id: 'gateways.mixed' },
    ]);
    // The intention of the service decides to which the calls go.
    await write({ Kind: 'service-resolver', Name: 'billing', Redirect: { Service: 'orders' } });
    await ingress('billing', '*');
    expect(await findings(/^(gateways|reach)/)).toMatchObject([
      { id: 'reach', severity: 'ok' },
      { id: 'gateways', severity: 'ok' },
      { id: 'gateways.wildcard', message: expect.stringContaining('edge (port 443)') },
      { id: 'gateways.mixed' },
    ]);
  });
});

describe('a service behind a terminating gateway', () => {
  it('is a destination without a sidecar, registered or not', async () => {
    await start();
    await mesh.register('web', { client: 'web-app' });
    await place('connect-proxy', 'web-proxy', {
      Proxy: {
        DestinationServiceName: 'web',
        Upstreams: [{ DestinationName: 'legacy', LocalBindPort: 9191 }],
      },
    });
    await place('terminating-gateway', 'exit', { Meta: { 'oauth-client-id': 'web-app' } });
    await mesh.speaks('legacy', 'http');
    await write({ Kind: 'terminating-gateway', Name: 'exit', Services: [{ Name: 'legacy' }] });
    cli.configure({ scopes: { 'legacy:read': { to: 'legacy', methods: ['GET'] } } });
    cli.idp({ clientId: 'web-app', scopes: ['legacy:read'], attributes: { 'consul-services': 'web, exit' } });
    const behind = 'legacy is behind the terminating gateway exit, which enforces its intentions';
    expect((await cli.run(['plan'])).out).toContain(`${behind}.`);
    await cli.run(['apply', '--yes']);
    expect(await mesh.access('legacy')).toEqual({ web: expect.stringContaining('GET') });
    const { status, out } = await cli.run(['explain', 'web', 'legacy', '--path', '/']);
    expect([status, out]).toEqual([0, expect.stringContaining(behind)]);
    expect(out).not.toContain('no instance of legacy');
    const reached = await cli.run(['explain', 'web', 'legacy', '--json']);
    expect([reached.status, reached.json()]).toMatchObject([
      0,
      { arrives: 'yes', behind: ['exit'], mend: null },
    ]);
    const found = await findings(/^(gateways|reach|rules|claims\.missing)/);
    expect(found.map(({ id, severity }) => `${id} ${severity}`)).toEqual([
      'rules ok',
      'reach ok',
      'gateways.terminating ok',
    ]);
  });

  it('is named by doctor if it also has a sidecar, or needs a token of a user', async () => {
    await start('1.16.1');
    await mesh.register('orders');
    await sidecarOf('orders');
    await place('terminating-gateway', 'exit');
    await write({
      Kind: 'terminating-gateway',
      Name: 'exit',
      Services: [{ Name: 'orders' }, { Name: 'legacy' }],
    });
    cli.configure({
      providers: [
        {
          name: 'main',
          kind: 'oidc',
          issuer: 'http://127.0.0.1:9',
          directory: join(cli.directory, 'clients.json'),
          userAudience: 'shop',
        },
      ],
      scopes: { 'legacy:read': { to: 'legacy', methods: ['GET'], user: 'required' } },
    });
    cli.idp();
    expect(await findings(/^gateways/)).toMatchObject([
      { id: 'gateways.terminating', message: expect.stringMatching(/: legacy \(exit\)$/) },
      { id: 'gateways.mixed', severity: 'warning', message: expect.stringContaining('orders (exit)') },
      { id: 'gateways.user', severity: 'error', message: expect.stringContaining('legacy (exit)') },
    ]);
    // What select leaves out is not mentioned.
    cli.configure({ select: { services: ['orders'] }, scopes: {} });
    expect(await findings(/^gateways/)).toMatchObject([
      { id: 'gateways.mixed', message: expect.not.stringContaining('legacy') },
    ]);
  });
});

describe('an API gateway', () => {
  it('has the routes that its listeners take', async () => {
    await start('1.16.1');
    await mesh.register('orders');
    await sidecarOf('orders');
    await gateway('api-gateway');
    for (const entry of API_GATEWAY) await write(entry);
    cli.idp({ ...CLIENT, scopes: ['orders:read', 'admin:connect'] });
    await cli.run(['apply', '--yes']);
    expect(await findings(/^(gateways|reach\.no-route)/)).toMatchObject([
      {
        id: 'reach.no-route',
        message: expect.stringMatching(/: no route of the api-gateway edge leads to admin$/),
      },
      {
        id: 'gateways.unopened',
        message: expect.stringContaining('edge -> billing (http-route shop), edge -> mail (tcp-route mail)'),
      },
      { id: 'gateways.unrouted', message: expect.stringContaining('edge -> admin') },
    ]);
  });

  it('whose routes the token may not read is a notice, and explain still answers', async () => {
    await start('1.16.1');
    await mesh.register('orders');
    await gateway('api-gateway');
    for (const entry of API_GATEWAY) await write(entry);
    cli.idp({ ...CLIENT, scopes: [] });
    await mesh.write('orders', [{ Name: 'edge', Action: 'allow' }]);
    const token = await mesh.tokenWith(
      'service_prefix "" { policy = "read" intentions = "write" } node_prefix "" { policy = "read" } key_prefix "" { policy = "write" } agent_prefix "" { policy = "read" } session_prefix "" { policy = "write" }',
    );
    cli.configure({ consul: { address: mesh.consul.address, token } });
    expect(await findings(/^gateways/)).toMatchObject([
      { id: 'gateways', severity: 'notice', remedy: expect.stringContaining('mesh:read') },
    ]);
    const { status, out } = await cli.run(['explain', 'edge', 'orders']);
    expect([status, out]).toEqual([
      0,
      expect.stringContaining('arrives    not checked: Consul reachability.read'),
    ]);
  });
});
