import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { assertNoSecret } from '../../support/assert-no-secret.js';
import type { CommandLine } from '../../support/command-line.js';
import { startKeySetServer } from '../../support/key-set-server.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  await mesh.register('web', { client: 'web-app' });
  cli.idp({ clientId: 'web-app', scopes: [], attributes: { 'consul-services': 'web' } });
});

interface Made {
  readonly AccessorID: string;
  readonly SecretID: string;
}

async function make(body: Readonly<Record<string, unknown>>): Promise<Made> {
  const made = (await mesh.request('PUT', '/v1/acl/token', body)) as Made;
  return made;
}

const policy = (name: string, rules: string) =>
  mesh.request('PUT', '/v1/acl/policy', { Name: name, Rules: rules });

type Shown = Readonly<Record<string, unknown>> & { readonly accessorId: string };

async function list(
  ...args: string[]
): Promise<{ tokens: readonly Shown[]; of(id: string): Shown | undefined }> {
  const { status, json } = await cli.run(['tokens', '--json', ...args]);
  expect(status).toBe(0);
  const tokens = json().tokens as Shown[];
  return { tokens, of: (id) => tokens.find(({ accessorId }) => accessorId === id) };
}

/** Somebody's own auth method, and a login by it. */
async function logIn(): Promise<Made> {
  const idp = await startKeySetServer();
  try {
    await mesh.request('PUT', '/v1/acl/auth-method', {
      Name: 'theirs',
      Type: 'jwt',
      MaxTokenTTL: '5m',
      Config: {
        JWKSURL: idp.jwksUrl,
        BoundIssuer: idp.address,
        BoundAudiences: ['consul'],
        ClaimMappings: { azp: 'client' },
      },
    });
    await mesh.request('PUT', '/v1/acl/binding-rule', {
      AuthMethod: 'theirs',
      BindType: 'service',
      BindName: 'web',
      Selector: 'value.client == "web-app"',
    });
    const BearerToken = await idp.sign({ azp: 'web-app' });
    return (await mesh.request('POST', '/v1/acl/login', { AuthMethod: 'theirs', BearerToken })) as Made;
  } finally {
    await idp.close();
  }
}

describe('tokens', () => {
  it('lists every token with what it is, when it ends and what it may do, and no secret', async () => {
    await policy('config', 'key_prefix "config/" { policy = "read" }');
    await mesh.request('PUT', '/v1/acl/role', { Name: 'reader', Policies: [{ Name: 'config' }] });
    const still = await make({ Description: 'ci', Roles: [{ Name: 'reader' }] });
    const ending = await make({ ServiceIdentities: [{ ServiceName: 'web' }], ExpirationTTL: '2h' });
    const login = await logIn();
    const { out, json } = await cli.run(['tokens', '--json']);
    assertNoSecret(out, [still.SecretID, ending.SecretID, login.SecretID, mesh.consul.managementToken]);
    const { of } = await list();
    expect(of(still.AccessorID)).toMatchObject({
      kind: 'static',
      description: 'ci',
      expiresAt: null,
      roles: ['reader'],
      can: ['key_prefix "config/" read'],
      replaceableBy: [],
    });
    expect(of(ending.AccessorID)).toMatchObject({
      kind: 'static-expiring',
      expiresAt: expect.stringMatching(/^2/),
      can: ['identity of service web'],
    });
    expect(of(login.AccessorID)).toMatchObject({
      kind: 'login',
      authMethod: 'theirs',
      can: ['identity of service web'],
    });
    const { tokens } = await list();
    expect(tokens.filter(({ inUseHere }) => inUseHere === true)).toMatchObject([{ kind: 'management' }]);
    expect(json().summary).toEqual({
      management: 1,
      static: 1,
      'static-expiring': 1,
      anonymous: 1,
      login: 1,
    });
  });

  it('shows only static tokens with --static', async () => {
    const still = await make({ ServiceIdentities: [{ ServiceName: 'web' }] });
    await logIn();
    const { tokens } = await list('--static');
    expect(tokens.map(({ accessorId }) => accessorId)).toEqual([still.AccessorID]);
  });

  it('prints text in lines of bounded length, and escapes names', async () => {
    const hostile = `ci\u001b[2J\u202e\n${'x'.repeat(300)}`;
    await policy('wide', `key "${'k'.repeat(400)}" { policy = "read" }`);
    const { AccessorID, SecretID } = await make({ Description: hostile, Policies: [{ Name: 'wide' }] });
    const { out, status } = await cli.run(['tokens']);
    expect(status).toBe(0);
    assertNoSecret(out, [SecretID, mesh.consul.managementToken]);
    expect(out).toMatch(
      new RegExp(`^static +\\d+\\w old +does not expire +${AccessorID} +ci\\\\u\\{1b\\}\\[2J`, 'm'),
    );
    for (const obeyed of ['\u001b', '\u202e']) expect(out).not.toContain(obeyed);
    expect(out).toMatch(/^ {2}may +key "kkk/m);
    expect(out).toMatch(/^ {2}instead +none found$/m);
    expect(out).toMatch(/^ {2}note +scopemesh uses it here$/m);
    expect(out).toMatch(/^Tokens: 1 management, 1 static, 0 static-expiring, 1 anonymous, 0 login\.$/m);
    for (const line of out.split('\n')) expect(line.length).toBeLessThan(180);
  });

  it('is an error with a remedy if the token may not list tokens', async () => {
    const rules =
      'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" }';
    cli.configure({ consul: { address: mesh.consul.address, token: await mesh.tokenWith(rules) } });
    const { status, err, out } = await cli.run(['tokens']);
    expect([status, out]).toEqual([1, '']);
    expect(err).toContain('lacks acl = "read"');
    cli.configure({
      consul: { address: mesh.consul.address, token: await mesh.tokenWith(`acl = "read" ${rules}`) },
    });
    expect((await cli.run(['tokens'])).status).toBe(0);
  });

  it('lists all tokens while the identity provider cannot be read, and says that replacements are unknown', async () => {
    const made = await make({ ServiceIdentities: [{ ServiceName: 'web' }] });
    cli.brokenIdp('{');
    const { out, status } = await cli.run(['tokens']);
    expect(status).toBe(0);
    expect(out).toContain(made.AccessorID);
    expect(out).toMatch(/^ {2}instead +unknown$/m);
    expect(out).toMatch(/^The clients of main were not checked as replacements: .+$/m);
    const { json } = await cli.run(['tokens', '--json']);
    expect(json().unreadProviders).toEqual({ main: expect.stringMatching(/./) });
    expect((await cli.run(['plan'])).status).toBe(1);
    cli.idp({ clientId: 'web-app', scopes: [] });
    expect((await cli.run(['tokens', '--json'])).json().unreadProviders).toEqual({});
  });

  it('names the client whose login can replace a static token, and only if that is certain', async () => {
    const document = join(cli.directory, 'clients.json');
    cli.configure({
      login: 'on',
      providers: [
        { name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory: document, audience: 'consul' },
      ],
      scopes: { 'config:read': { acl: 'key_prefix "config/" { policy = "read" }' } },
    });
    cli.idp({ clientId: 'web-app', scopes: ['config:read'], attributes: { 'consul-services': 'web' } });
    await policy('config', 'key_prefix "config/" {\n  policy = "read"\n}');
    await policy('more', 'key_prefix "config/" { policy = "write" }');
    const same = await make({ Policies: [{ Name: 'config' }], ServiceIdentities: [{ ServiceName: 'web' }] });
    const more = await make({ Policies: [{ Name: 'more' }] });
    const other = await make({ ServiceIdentities: [{ ServiceName: 'api' }] });
    const { of } = await list('--static');
    expect(of(same.AccessorID)?.replaceableBy).toEqual([
      { provider: 'main', clientId: 'web-app', authMethod: 'scopemesh-payments-main-web-app' },
    ]);
    for (const { AccessorID } of [more, other]) expect(of(AccessorID)?.replaceableBy).toEqual([]);
    const { out } = await cli.run(['tokens', '--static']);
    expect(out).toMatch(/^ {2}instead +a login of main\/web-app$/m);
  });
});
