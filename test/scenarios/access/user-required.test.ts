import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toPlainPathRegex } from '../../../src/model/plain-path.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { clientOf, type Daemon, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { EDGE, isClosed, isOpen, READ } from '../../support/orders-rig.js';
import {
  hasJwtProvider,
  JWT_PROVIDER,
  jwtProviders,
  provider,
  requiringUsers,
  usersRig,
  WITH_USER,
  writes,
} from '../../support/users-rig.js';

let rig: Rig;
let daemon: Daemon;

async function running(options: DaemonOptions = {}): Promise<void> {
  rig = await usersRig(options);
  daemon = await rig.start();
}

describe("a daemon whose rule requires a user's token", () => {
  afterEach(() => rig.close());

  it('opens the access with the requirement, and removes both soon after the event', async () => {
    await running();
    await isOpen(rig, WITH_USER);
    expect(await rig.decided({ subject: `jwt-provider/${JWT_PROVIDER}`, outcome: 'applied' })).toMatchObject({
      type: 'dev.scopemesh.jwt-provider.created',
      action: 'grant',
      resource: { kind: 'jwt-provider', name: JWT_PROVIDER },
      before: null,
      after: { issuer: rig.idp.issuer, audiences: ['consul'], jwksUri: `${rig.idp.issuer}/certs` },
    });
    expect(await rig.decided({ subject: EDGE, outcome: 'applied' })).toMatchObject({
      after: {
        access: 'http',
        permissions: [
          {
            pathRegex: toPlainPathRegex({ kind: 'path', text: '/v1/orders' }),
            jwt: { provider: JWT_PROVIDER, verifyClaims: [] },
          },
        ],
      },
    });
    await daemon.idle();
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await isClosed(rig);
    await hasJwtProvider(rig, false);
    await daemon.idle();
    expect((await rig.decisions()).filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  });

  it('repairs a jwt-provider that somebody changed, without waiting for the sweep', async () => {
    await running();
    await isOpen(rig, WITH_USER);
    await daemon.idle();
    const [existing] = await jwtProviders(rig);
    await rig.mesh.request('PUT', '/v1/config', { ...existing, Issuer: 'https://evil.example.com' });
    expect(await rig.decided({ reason: 'DriftCorrected', outcome: 'applied' })).toMatchObject({
      type: 'dev.scopemesh.jwt-provider.updated',
      before: { issuer: 'https://evil.example.com' },
      after: { issuer: rig.idp.issuer },
    });
    expect(await jwtProviders(rig)).toMatchObject([{ Issuer: rig.idp.issuer }]);
    await daemon.idle();
    const before = rig.proxy.writes.length;
    await rig.mesh.speaks('reports', 'http');
    await daemon.idle();
    expect(rig.proxy.writes).toHaveLength(before);
  });

  it('requires the token after one reload, and no token after the next', async () => {
    await running({ file: {} });
    rig.writeFile(requiringUsers(false), provider(rig));
    daemon.reload();
    await isOpen(rig, READ);
    await hasJwtProvider(rig, false);
    await daemon.idle();
    rig.writeFile(requiringUsers(true), provider(rig));
    daemon.reload();
    await isOpen(rig, WITH_USER);
    await daemon.idle();
    expect(await jwtProviders(rig)).toHaveLength(1);
  });

  it('requires a token that cannot log in to Consul if users have their own audience', async () => {
    await running();
    await isOpen(rig, WITH_USER);
    await daemon.idle();
    await daemon.stop();
    rig.writeFile(requiringUsers(true), { ...provider(rig), userAudience: 'calls' });
    daemon = await rig.start();
    await rig.decided({ type: 'dev.scopemesh.jwt-provider.updated', outcome: 'applied' });
    expect(await jwtProviders(rig)).toMatchObject([{ Audiences: ['calls'] }]);
    expect(await rig.mesh.access('orders')).toEqual({ web: WITH_USER });
  });

  it('forwards the user in a header after a restart, and leaves the access open meanwhile', async () => {
    await running();
    await isOpen(rig, WITH_USER);
    await daemon.idle();
    await daemon.stop();
    const before = writes(rig).length;
    rig.writeFile(requiringUsers(true), { ...provider(rig), forwardUserAs: 'x-user-claims' });
    daemon = await rig.start();
    expect(
      await rig.decided({ type: 'dev.scopemesh.jwt-provider.updated', outcome: 'applied' }),
    ).toMatchObject({ reason: 'MappingChanged', after: { forwardHeader: 'x-user-claims' } });
    await daemon.idle();
    expect(await jwtProviders(rig)).toMatchObject([{ Forwarding: { HeaderName: 'x-user-claims' } }]);
    // No intention was written, so none was closed.
    expect(writes(rig).slice(before)).toEqual(['jwt-provider']);
  });

  it('requires it after a reload although nothing required it before and the keys were never read', async () => {
    rig = await usersRig({ prepare: (it) => it.writeFile(requiringUsers(false), provider(it)) });
    daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    rig.writeFile(requiringUsers(true), provider(rig));
    daemon.reload();
    await isOpen(rig, WITH_USER);
  });

  it('requires the client and the subject of an agent', async () => {
    await running({
      clients: [{ ...clientOf('web', 'orders:read'), clientId: 'web-app' }, clientOf('other')],
      prepare: (it) =>
        it.writeFile(
          {
            ...requiringUsers(false),
            actors: { classify: [{ clientId: 'web-*', kind: 'agent' }], agent: { onBehalfOf: 'human' } },
          },
          provider(it),
        ),
    });
    const asked = `user ${JWT_PROVIDER} act.sub=web-app client_id=web-app`;
    await isOpen(rig, `GET+HEAD /v1/orders and below ${asked}`);
  });

  it('leaves the access closed on a Consul that cannot require a token, and says why', async () => {
    await running({ consulVersion: '1.14.11' });
    expect(await rig.decided({ subject: EDGE })).toMatchObject({
      outcome: 'held',
      reason: 'UserTokenUnenforceable',
      detail: expect.stringContaining('1.16.1'),
    });
    await daemon.idle();
    expect(await rig.mesh.access('orders')).toBeUndefined();
    expect(rig.proxy.requests.filter((line) => line.includes('jwt-provider'))).toEqual([]);
  });

  it('leaves the access closed behind a terminating gateway, which verifies no token', async () => {
    const gateway = { Kind: 'terminating-gateway', Name: 'exit', Services: [{ Name: 'Orders' }] };
    await running({
      prepare: async (it) => {
        await it.mesh.request('PUT', '/v1/config', gateway);
        it.writeFile(requiringUsers(true), provider(it));
      },
    });
    expect(await rig.decided({ subject: EDGE })).toMatchObject({
      outcome: 'held',
      reason: 'UserTokenUnenforceable',
      detail: expect.stringContaining('terminating gateway'),
    });
    await daemon.idle();
    expect(await rig.mesh.access('orders')).toBeUndefined();
    expect(await jwtProviders(rig)).toEqual([]);
  });

  it('plans the access in mode observe and writes nothing', async () => {
    await running({ file: { mode: 'observe' } });
    expect(await rig.decided({ subject: EDGE })).toMatchObject({
      type: 'dev.scopemesh.intention.planned',
      reason: 'ModeForbids',
    });
    await daemon.idle();
    expect(rig.proxy.writes.filter(({ body }) => !body.includes('service-defaults'))).toEqual([]);
  });
});

describe('the commands', () => {
  let cli: CommandLine;
  const configure = (token: string) =>
    cli.configure({
      consul: { address: rig.mesh.consul.address, token },
      providers: [
        { name: 'main', kind: 'oidc', directory: `${cli.directory}/clients.json`, ...provider(rig) },
      ],
      ...requiringUsers(true),
    });
  const clients = (...scopes: readonly string[]) =>
    cli.idp(
      { clientId: 'web-app', scopes, attributes: { 'consul-services': 'web' } },
      { clientId: 'other-app', scopes: [], attributes: { 'consul-services': 'other' } },
    );
  beforeEach(async () => {
    rig = await usersRig();
    cli = createCommandLine(rig.mesh);
    configure(rig.mesh.consul.managementToken);
    clients('orders:read');
  });
  afterEach(async () => {
    cli.close();
    await rig.close();
  });

  it('show and apply the jwt-provider with the intention, explain the token, and take both back', async () => {
    const planned = await cli.run(['plan']);
    expect(planned.out).toContain(`+ ${JWT_PROVIDER}  tokens of ${rig.idp.issuer} for consul`);
    expect(planned.out).toContain(`/v1/orders and below, with a user's token of ${JWT_PROVIDER}`);
    expect(planned.out).toContain('0 held. jwt-providers: 1 to create, 0 to update, 0 to delete.');
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({
      changes: [
        { subject: `jwt-provider/${JWT_PROVIDER}`, verb: 'created', action: 'grant' },
        { subject: EDGE, verb: 'created' },
      ],
    });

    const applied = await cli.run(['apply', '--yes']);
    expect([applied.status, applied.err]).toEqual([0, '']);
    expect(await rig.mesh.access('orders')).toEqual({ web: WITH_USER });
    expect(await jwtProviders(rig)).toHaveLength(1);
    expect((await cli.run(['plan'])).out).toContain('No changes');

    const ask = ['explain', 'web', 'orders', '--method', 'GET', '--path', '/v1/orders'];
    const explained = await cli.run(ask);
    expect(explained.status).toBe(0);
    expect(explained.out).toContain("allowed with a user's token  web -> orders");
    expect(explained.out).toContain(`with a user's token of ${JWT_PROVIDER}`);
    expect((await cli.run([...ask, '--json'])).json()).toMatchObject({
      verdict: 'with-token',
      allowed: true,
    });

    clients();
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({
      changes: [
        { subject: `jwt-provider/${JWT_PROVIDER}`, verb: 'deleted', action: 'revoke' },
        { subject: EDGE, verb: 'deleted' },
      ],
    });
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(await rig.mesh.access('orders')).toBeUndefined();
    expect(await jwtProviders(rig)).toEqual([]);
  });

  it('count a jwt-provider that needs a repair as a pending change', async () => {
    await cli.run(['apply', '--yes']);
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
    const [existing] = await jwtProviders(rig);
    await rig.mesh.request('PUT', '/v1/config', { ...existing, Issuer: 'https://evil.example.com' });
    const { status, out } = await cli.run(['plan', '--detailed-exitcode']);
    expect([status, out]).toEqual([2, expect.stringContaining('jwt-providers: 0 to create, 1 to update')]);
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({
      summary: { open: 0, close: 0, jwtProviders: { create: 0, update: 1, delete: 0 } },
    });
  });

  it('say what is held on a Consul that cannot require a token', async () => {
    await rig.close();
    rig = await usersRig({ consulVersion: '1.14.11' });
    configure(rig.mesh.consul.managementToken);
    const { out } = await cli.run(['plan']);
    expect(out).toContain('UserTokenUnenforceable: this version of Consul cannot require a user token');
    const explained = await cli.run(['explain', 'web', 'orders']);
    expect(explained.status).toBe(4);
    expect(explained.out).toContain('UserTokenUnenforceable');
  });

  it('fail, and leave the access closed, if the ACL token may not write the jwt-provider', async () => {
    const rules =
      'operator = "read" agent_prefix "" { policy = "read" } node_prefix "" { policy = "read" } ' +
      'service_prefix "" { policy = "read" intentions = "write" } mesh = "read" key_prefix "" { policy = "write" } session_prefix "" { policy = "write" }';
    const token = await rig.mesh.tokenWith(rules);
    configure(token);
    const applied = await cli.run(['apply', '--yes']);
    expect(applied.status).toBe(1);
    expect(applied.err).toContain('mesh:write');
    expect(await rig.mesh.access('orders')).toBeUndefined();
  });
});
