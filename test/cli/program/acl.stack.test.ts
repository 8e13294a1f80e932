import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import { assertNoSecret } from '../../support/assert-no-secret.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { type KeySetServer, startKeySetServer } from '../../support/key-set-server.js';

const METHOD = 'scopemesh-payments-main-web-app';

let consul: ConsulHandle;
let idp: KeySetServer;
let cli: CommandLine;
let secrets: string[];

async function token(body: object): Promise<string> {
  const made = await consul.request('PUT', '/v1/acl/token', body);
  return String(Reflect.get(Object(made), 'SecretID'));
}

const policy = (name: string, rules: string) =>
  consul.request('PUT', '/v1/acl/policy', { Name: name, Rules: rules });

beforeAll(async () => {
  consul = await startConsul();
  idp = await startKeySetServer();
  const shipped = ['consul-policy.hcl', 'consul-policy-acl.hcl'].map((name) =>
    readFile(fileURLToPath(new URL(`../../../deploy/${name}`, import.meta.url)), 'utf8'),
  );
  await policy('scopemesh', (await Promise.all(shipped)).join('\n'));
  await policy('ci', 'key_prefix "config/" {\n  policy = "read"\n}');
  const own = await token({ Policies: [{ Name: 'scopemesh' }] });
  secrets = [
    own,
    consul.managementToken,
    await token({ Description: 'ci', Policies: [{ Name: 'ci' }] }),
    await token({ ServiceIdentities: [{ ServiceName: 'web' }], ExpirationTTL: '3h' }),
  ];
  await consul.request('PUT', '/v1/agent/service/register', {
    Name: 'web',
    Port: 1,
    Meta: { 'oauth-client-id': 'web-app' },
    Connect: { SidecarService: { Port: 2 } },
  });
  await consul.request('PUT', '/v1/agent/service/register', { Name: 'orders', Port: 1 });
  cli = createCommandLine({ consul: { address: consul.httpAddress, managementToken: own } });
  cli.configure({
    login: 'on',
    providers: [
      {
        name: 'main',
        kind: 'oidc',
        issuer: idp.address,
        directory: join(cli.directory, 'clients.json'),
        audience: 'consul',
      },
    ],
    scopes: { 'config:read': { acl: 'key_prefix "config/" { policy = "read" }' } },
    actors: { workload: { maxTokenTtl: '15m' } },
  });
  cli.idp({ clientId: 'web-app', scopes: ['config:read'], attributes: { 'consul-services': 'web' } });
});

afterAll(async () => {
  cli?.close();
  await idp?.close();
  await consul?.stop();
});

// One history: each test goes on where the one before it ended.
describe('tokens of a real Consul, on the command line', () => {
  it('doctor takes the shipped policies for enough and no more, and sees the token that ends', async () => {
    const { status, json } = await cli.run(['doctor', '--json']);
    expect(status).toBe(0);
    const findings = json().findings as { id: string; severity: string; message: string }[];
    const of = (id: string) => findings.find((finding) => finding.id === id);
    for (const id of ['consul.token', 'consul.read-acl', 'acl.cache'])
      expect([id, of(id)?.severity]).toEqual([id, 'ok']);
    expect(of('acl.cache')?.message).toContain('roles for 0 s, tokens for 30 s, policies for 30 s');
    expect(of('sidecars.tokens')?.message).toMatch(/^the only ACL token of web expires in 2h 59m/);
    expect(of('consul.flaws')).toBeDefined();
    expect(of('acl.tokens')?.message).toContain('2 static (1 of them expire), 1 for management');
  });

  it('explain says what is missing, and after apply what exists and how to log in', async () => {
    const due = await cli.run(['explain', '--client', 'main/web-app', '--json']);
    expect(due.json()).toMatchObject({ mayLogIn: false, isMade: false, standingTtlSeconds: null });
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    const { json } = await cli.run(['explain', '--client', 'main/web-app', '--json']);
    expect(json()).toMatchObject({
      standingTtlSeconds: 900,
      login: {
        authMethod: METHOD,
        serviceIdentities: ['web'],
        can: ['identity of service web', 'key_prefix "config/" read'],
      },
    });
  });

  it('tokens names whose login would do for the static ones, and knows those that came from it', async () => {
    const BearerToken = await idp.sign({ sub: 'web-app', client_id: 'web-app' });
    const login = await consul.request('POST', '/v1/acl/login', { AuthMethod: METHOD, BearerToken });
    secrets.push(String(Reflect.get(Object(login), 'SecretID')));
    const { json, out } = await cli.run(['tokens', '--json']);
    assertNoSecret(out, secrets);
    const tokens = json().tokens as Record<string, unknown>[];
    const replaceableBy = [{ provider: 'main', clientId: 'web-app', authMethod: METHOD }];
    expect(tokens.find(({ description }) => description === 'ci')).toMatchObject({
      kind: 'static',
      replaceableBy,
    });
    expect(tokens.find(({ kind }) => kind === 'static-expiring')).toMatchObject({ replaceableBy });
    expect(tokens.find(({ kind }) => kind === 'login')).toMatchObject({
      authMethod: METHOD,
      can: ['identity of service web', 'key_prefix "config/" read'],
      replaceableBy: [],
    });
    assertNoSecret((await cli.run(['tokens'])).out, secrets);
  });
});
