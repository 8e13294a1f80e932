import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandLine } from '../../support/command-line.js';
import { startKeySetServer } from '../../support/key-set-server.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;
const web = { clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } };

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  await mesh.speaks('orders', 'http');
  await mesh.register('orders');
  await mesh.register('web', { client: 'web-app' });
  cli.idp(web);
  await sidecar('orders');
  await cli.run(['apply', '--yes']);
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
      client: {
        clientId: 'web-app',
        isReadable: true,
        exists: true,
        enabled: true,
        grants: [{ name: 'orders:read' }],
      },
      openings: [{ scope: 'orders:read' }],
      holds: [],
      pending: null,
      arrives: 'no',
      obstacles: [{ kind: 'no-endpoint' }],
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

  it('says for a call of a client that quarantines are unknown without the daemon', async () => {
    const note = 'no daemon answers here, so quarantines';
    expect((await cli.run(['explain', 'web', 'orders'])).out).toContain(note);
    expect((await cli.run(['explain', 'web', 'orders', '--json'])).json().areOrdersKnown).toBe(false);
    expect((await cli.run(['explain', 'orders', 'web'])).out).not.toContain(note);
    expect((await cli.run(['explain', '--client', 'main/web-app'])).out).toContain(note);
  });

  it('exits 4 if no intention matches the call, and says that the default policy decides', async () => {
    const { status, out } = await cli.run(['explain', 'orders', 'web']);
    expect(status).toBe(4);
    expect(out).toContain('not allowed  orders -> web');
    expect(out).toContain('the default policy of the mesh decides: deny');
    expect(out).toContain('orders claims no OAuth client');
    await mesh.write('web', [{ Name: 'orders', Action: 'deny' }]);
    expect((await cli.run(['explain', 'orders', 'web'])).out).toContain(
      'orders -> web denies everything (precedence 9',
    );
  });

  it('lets only the most exact intention decide, as Consul does, owned or foreign', async () => {
    const decider = async () => (await cli.run(['explain', 'batch', 'billing', '--json'])).json();
    for (const name of ['batch', 'billing']) await mesh.register(name);
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

  it('names a claim record that cannot be read, and what to do', async () => {
    cli.configure({ services: { claims: 'first' } });
    await mesh.request('PUT', '/v1/kv/scopemesh/payments/claims/main/web-app', 'not JSON');
    const { status, out } = await cli.run(['explain', 'web', 'orders']);
    expect(status).toBe(0);
    expect(out).toContain(
      "the record scopemesh/payments/claims/main/web-app in Consul's KV cannot be read; delete or repair that key",
    );
  });

  it('shows holds, and that the claim does not count', async () => {
    cli.idp({ ...web, attributes: {} });
    await mesh.register('api', { client: 'web-app' });
    const { status, out } = await cli.run(['explain', 'api', 'orders']);
    expect(status).toBe(4);
    expect(out).toContain('the claim does not count: ClaimUnconfirmed');
    expect(out).toContain('held');
  });

  it('shows the pending change if Consul lags behind the identity provider', async () => {
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
    ['another', '', 'no sidecar of web has an upstream of orders'],
    [undefined, '', 'no sidecar of web has an upstream of orders'],
    ['another', 'transparent', undefined],
    ['orders', '', undefined],
  ])('with upstream %s in mode %j it says %s', async (upstream, mode, note) => {
    await sidecar(upstream, mode);
    const { status, out } = await cli.run(['explain', 'web', 'orders']);
    expect(status).toBe(0);
    if (note === undefined) expect(out).not.toContain('sidecar of web');
    else expect(out).toContain(note);
  });

  it('says that a source without a sidecar cannot call through the mesh', async () => {
    await mesh.deregister('web-proxy');
    expect((await cli.run(['explain', 'web', 'orders'])).out).toContain('web has no sidecar');
  });

  it('exits 1 if it cannot read, and for an invalid path', async () => {
    expect((await cli.run(['explain', 'web', 'orders', '--path', 'orders'])).status).toBe(1);
    expect((await cli.run(['explain', 'web'])).status).toBe(1);
    cli.brokenIdp('');
    expect((await cli.run(['explain', 'web', 'orders'])).status).toBe(1);
  });
});

/** The client of web may read keys and log in as web; a bot's tokens live at most 15 minutes. */
function giveAcl(changes: Readonly<Record<string, unknown>> = {}): void {
  const document = join(cli.directory, 'clients.json');
  cli.configure({
    login: 'on',
    providers: [
      { name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory: document, audience: 'consul' },
    ],
    scopes: {
      'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' },
      'config:read': { acl: 'key_prefix "config/" { policy = "read" }' },
      'config:{name}': { acl: 'key_prefix "vault/{name}/" { policy = "read" }' },
    },
    actors: { workload: { maxTokenTtl: '15m' } },
    ...changes,
  });
}

describe('explain of access to Consul', () => {
  const reader = { ...web, scopes: ['orders:read', 'config:read'] };

  it('shows for a call how the client of the source logs in, its permissions and the lifetime', async () => {
    giveAcl();
    cli.idp(reader);
    const { out } = await cli.run(['explain', 'web', 'orders']);
    expect(out).toMatch(
      /^ {2}consul +may log in as service web, for at most 15m, by auth method scopemesh-payments-main-web-app$/m,
    );
    expect(out).toMatch(
      /^ {2}login +consul login -method=scopemesh-payments-main-web-app -bearer-token-file=/m,
    );
    expect(out).toContain(`conditions, which show that the client obtained it for itself:
             iss must equal "http://127.0.0.1:9"
             aud must contain "consul"
             client_id must equal "web-app"
             sub must equal "web-app"
`);
    expect(out).toMatch(/^ {2}policy +scopemesh-payments-_rules-[0-9a-f]+: \{"key_prefix":\{"config\/":/m);
    expect(out).toMatch(
      /^ {2}may +identity of service web; key_prefix "config\/" read; key_prefix "vault\/read\/" read$/m,
    );
    const { json } = await cli.run(['explain', 'web', 'orders', '--json']);
    expect(json().consulAccess).toMatchObject({
      mayLogIn: false,
      isMade: false,
      client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
      login: {
        authMethod: 'scopemesh-payments-main-web-app',
        role: 'scopemesh-payments-main-web-app',
        audiences: ['consul'],
        tokenClaims: expect.arrayContaining([{ claim: 'sub', must: 'equal', value: 'web-app' }]),
        maxTokenTtlSeconds: 900,
        serviceIdentities: ['web'],
      },
      holds: [],
    });
  });

  it('says of a service without instances that the client alone names it, as plan does', async () => {
    giveAcl();
    cli.idp({ ...reader, attributes: { 'consul-services': 'web,shop' } });
    const { out } = await cli.run(['explain', '--client', 'web-app']);
    expect(out).toMatch(/^ {2}consul +may log in as service shop, web, for at most 15m,/m);
    expect(out).toMatch(
      /^ +no instance of shop is registered: the client names it at the identity provider/m,
    );
    const { json } = await cli.run(['explain', '--client', 'web-app', '--json']);
    expect(json().login).toMatchObject({
      serviceIdentities: ['shop', 'web'],
      unregisteredServices: ['shop'],
    });
    expect((await cli.run(['plan'])).out).toMatch(
      /^ +\+ scopemesh-payments-main-web-app +role of service shop, web +ServiceNamed +scopes config:read, client main\/web-app/m,
    );
    giveAcl({ login: 'registered' });
    const plan = (await cli.run(['plan'])).out;
    expect(plan).toMatch(/^ +\+ scopemesh-payments-main-web-app +role +ScopeGranted/m);
    expect((await cli.run(['explain', '--client', 'web-app'])).out).toContain(
      'may log in as service web, for',
    );
  });

  it('shows nothing about it if the configuration gives no access to Consul, and reads no ACL', async () => {
    const rules =
      'service_prefix "" { policy = "read" intentions = "write" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" }';
    cli.configure({ consul: { address: mesh.consul.address, token: await mesh.tokenWith(rules) } });
    const { json, status } = await cli.run(['explain', 'web', 'orders', '--json']);
    expect([status, json().consulAccess]).toEqual([0, null]);
  });

  it('answers for a client without a service, and says that Consul does not have the auth method yet', async () => {
    giveAcl();
    cli.idp(reader, { clientId: 'Batch|1', scopes: ['config:read'] });
    const { status, json } = await cli.run(['explain', '--client', 'main/Batch|1', '--json']);
    expect(status).toBe(4);
    expect(json()).toMatchObject({
      mayLogIn: false,
      isMade: false,
      login: {
        serviceIdentities: [],
        authMethod: expect.stringMatching(/^scopemesh-payments-main-_[0-9a-f]{40}$/),
      },
      standingTtlSeconds: null,
    });
    const { out } = await cli.run(['explain', '--client', 'main/Batch|1']);
    expect(out).toMatch(
      /^may log in once Consul has the auth method: see scopemesh plan {2}main\/Batch\|1 \(workload\)$/m,
    );
    expect(out).toContain('Consul does not have the auth method yet; see scopemesh plan');
  });

  it('says that the client is disabled, not that no rule gives it access', async () => {
    giveAcl();
    cli.idp({ ...reader, enabled: false });
    const { status, out } = await cli.run(['explain', '--client', 'main/web-app']);
    expect(status).toBe(4);
    expect(out).toMatch(/^ {2}consul +cannot log in: the client is disabled at the identity provider$/m);
    const call = await cli.run(['explain', 'web', 'orders']);
    expect(call.out).toMatch(/^ {2}rule +its scopes open nothing now$/m);
    const { json } = await cli.run(['explain', '--client', 'main/web-app', '--json']);
    expect(json().barred).toBe('disabled');
  });

  it('shows what Consul has already, and what is pending', async () => {
    const keys = await startKeySetServer();
    try {
      const main = { name: 'main', kind: 'oidc', issuer: keys.address, audience: 'consul' };
      giveAcl({ providers: [{ ...main, directory: join(cli.directory, 'clients.json') }] });
      cli.idp(reader);
      expect((await cli.run(['apply', '--yes'])).status).toBe(0);
      const made = await cli.run(['explain', '--client', 'main/web-app', '--json']);
      expect(made.status).toBe(0);
      expect(made.json()).toMatchObject({ mayLogIn: true, isMade: true, standingTtlSeconds: 900 });
      const { out } = await cli.run(['explain', '--client', 'main/web-app']);
      expect(out).toMatch(/^may log in {2}main\/web-app/);
      expect(out).not.toContain('note');
      giveAcl({ providers: [{ ...main, directory: join(cli.directory, 'clients.json') }], actors: {} });
      expect((await cli.run(['explain', '--client', 'main/web-app'])).out).toContain(
        'Consul still gives tokens that last 15m',
      );
      cli.idp({ ...web, scopes: [], attributes: {} });
      const gone = await cli.run(['explain', '--client', 'main/web-app']);
      expect([gone.status, gone.out]).toEqual([
        4,
        expect.stringContaining(
          'must not log in any more, but Consul still has its auth method; see scopemesh plan',
        ),
      ]);
    } finally {
      await keys.close();
    }
  });

  it('exits 4 for a client that cannot log in, with the reason', async () => {
    giveAcl({ guards: { protected: ['web'] } });
    cli.idp(web);
    const { status, out } = await cli.run(['explain', '--client', 'main/web-app']);
    expect(status).toBe(4);
    expect(out).toMatch(/^cannot log in {2}main\/web-app/m);
    expect(out).toMatch(/^ {2}held +ProtectedDestination: /m);
  });

  it('finds a client by its ID alone if only one provider has it', async () => {
    giveAcl();
    cli.idp(reader);
    expect((await cli.run(['explain', '--client', 'web-app'])).out).toContain('main/web-app (workload)');
    const directory = join(cli.directory, 'clients.json');
    const provider = { kind: 'oidc', issuer: 'http://127.0.0.1:9', audience: 'consul', directory };
    giveAcl({
      scopes: {},
      providers: [
        { name: 'main', ...provider },
        { name: 'other', ...provider },
      ],
    });
    const { status, err } = await cli.run(['explain', '--client', 'web-app']);
    expect([status, err]).toEqual([
      1,
      expect.stringContaining('several clients have this name; write one of main/web-app, other/web-app'),
    ]);
    expect((await cli.run(['explain', '--client', 'other/web-app'])).status).toBe(4);
  });

  it('promises no login by a token that the rules of the actor kind refuse', async () => {
    giveAcl({ actors: { workload: { onBehalfOf: 'human' } } });
    cli.idp(reader);
    const { out } = await cli.run(['explain', '--client', 'web-app']);
    expect(out).toMatch(/^may log in for a person only once Consul has the auth method/);
    expect(out).toMatch(
      /token .*which show that the client acts for a person:\n(.*\n)+ +act.sub must equal "web-app"/,
    );
    const { json } = await cli.run(['explain', '--client', 'web-app', '--json']);
    expect(json()).toMatchObject({ login: { proof: 'delegated' } });
    giveAcl({ actors: { workload: { never: ['*'] } }, login: 'off' });
    const refused = await cli.run(['explain', '--client', 'web-app']);
    expect([refused.status, refused.out]).toEqual([
      4,
      expect.stringContaining(
        'cannot log in: its actor kind may not use the scopes that would give it access',
      ),
    ]);
  });

  it('refuses --method without --path', async () => {
    const { status, err } = await cli.run(['explain', 'web', 'orders', '--method', 'GET']);
    expect([status, err]).toEqual([1, expect.stringContaining('--method needs --path')]);
  });

  it('needs a call, or a client that exists', async () => {
    giveAcl();
    const unknown = await cli.run(['explain', '--client', 'main/nobody']);
    expect([unknown.status, unknown.err]).toEqual([
      1,
      expect.stringContaining('no provider has the client main/nobody'),
    ]);
    for (const wrong of [[], ['web'], ['web', 'orders', '--client', 'main/web-app']]) {
      const { status, err } = await cli.run(['explain', ...wrong]);
      expect([status, err]).toEqual([1, expect.stringContaining('give a source and a destination')]);
    }
  });
});
