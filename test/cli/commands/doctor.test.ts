import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createEmbeddedConsul } from '../../../src/embedded/consul/embedded-consul.js';
import type { CommandLine, DoctorFinding } from '../../support/command-line.js';
import { startConsulProxy } from '../../support/consul-proxy.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
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
});

async function examine(): Promise<{
  status: number;
  findings: readonly DoctorFinding[];
  of(id: string): DoctorFinding | undefined;
}> {
  const { status, json } = await cli.run(['doctor', '--json']);
  const findings = json().findings as DoctorFinding[];
  return { status, findings, of: (id) => findings.find((finding) => finding.id === id) };
}

const LEAST =
  'service_prefix "" { policy = "read" intentions = "write" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" } session_prefix "" { policy = "write" } key_prefix "scopemesh/payments/leader" { policy = "write" } key_prefix "scopemesh/payments/cluster" { policy = "write" }';

async function useToken(rules: string): Promise<void> {
  cli.configure({ consul: { address: mesh.consul.address, token: await mesh.tokenWith(rules) } });
}

async function sidecar(service: string): Promise<void> {
  await mesh.request('PUT', '/v1/catalog/register', {
    Node: 'machine-1',
    Address: '10.0.0.1',
    SkipNodeUpdate: true,
    Service: {
      ID: `${service}-sidecar-proxy`,
      Service: `${service}-sidecar-proxy`,
      Kind: 'connect-proxy',
      Port: 20_000,
      Proxy: { DestinationServiceName: service },
    },
  });
}

describe('doctor', () => {
  it('finds no error in a correct mesh, and flags a token stronger than needed', async () => {
    const { status, of } = await examine();
    expect(status).toBe(0);
    for (const id of [
      'consul.reachable',
      'consul.version',
      'consul.acl',
      'consul.default-policy',
      'consul.clock',
      'consul.connections',
      'provider.main',
      'rules',
      'claims',
    ])
      expect([id, of(id)?.severity]).toEqual([id, 'ok']);
    expect(of('consul.token')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('management'),
    });
    expect(of('claims.missing')?.message).toContain('orders');
    expect(of('provider.main.webhook')?.severity).toBe('notice');
  });

  it('gives a remedy with every warning and error, and counts them in the summary', async () => {
    cli.configure({ scopes: { 'x:read': { to: 'nowhere', methods: ['GET'] } } });
    cli.idp({ ...web, attributes: {} });
    const { findings, of } = await examine();
    for (const finding of findings.filter(({ severity }) => severity === 'warning' || severity === 'error'))
      expect([finding.id, finding.remedy !== '']).toEqual([finding.id, true]);
    expect(of('rules.destination')?.message).toContain('nowhere');
    expect(of('rules.protocol')?.message).toContain('tcp');
    expect(of('claims.refused')?.message).toContain('ClaimUnconfirmed');
    expect(of('provider.main.confirmations')?.severity).toBe('warning');
    const { json } = await cli.run(['doctor', '--json']);
    const errors = findings.filter(({ severity }) => severity === 'error').length;
    expect(json().summary).toMatchObject({ error: errors });
  });

  it.each(['*', 'Orders'])('warns of a rule whose destination %j opens nothing', async (to) => {
    cli.configure({ scopes: { 'x:read': { to } } });
    expect((await examine()).of('rules.destination')).toMatchObject({
      severity: 'warning',
      message: `the rule of x:read opens nothing, because its destination "${to}" is not a plain service name`,
    });
  });

  it('accepts the least token that works', async () => {
    await useToken(LEAST);
    const { status, of } = await examine();
    expect(status).toBe(0);
    expect(of('consul.token')).toMatchObject({ severity: 'notice' });
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
  });

  it('reads the rules of a token that may read ACLs, and finds that it cannot write intentions', async () => {
    await useToken(`acl = "read" ${LEAST.replace('intentions = "write"', 'intentions = "read"')}`);
    const { status, of } = await examine();
    expect(status).toBe(1);
    expect(of('consul.token')).toMatchObject({ severity: 'error' });
    await useToken(`acl = "read" ${LEAST}`);
    expect((await examine()).of('consul.token')?.severity).toBe('ok');
    await useToken(`acl = "write" ${LEAST}`);
    expect((await examine()).of('consul.token')?.severity).toBe('warning');
  });

  it('wants a token that may write claim records with claims: first', async () => {
    const examined = async (rules: string) => {
      const consul = { address: mesh.consul.address, token: await mesh.tokenWith(rules) };
      cli.configure({ services: { claims: 'first' }, consul });
      return (await examine()).of('consul.token');
    };
    const read = 'key_prefix "scopemesh/" { policy = "read" }';
    expect(await examined(`acl = "read" ${LEAST} ${read}`)).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('keys under scopemesh/payments/'),
      remedy: expect.stringContaining('key_prefix "scopemesh/payments/" { policy = "write" }'),
    });
    const write = 'key_prefix "scopemesh/payments/" { policy = "write" }';
    expect((await examined(`acl = "read" ${LEAST} ${write}`))?.severity).toBe('ok');
  });

  it('wants a token that may write jwt-providers if a rule requires a user', async () => {
    const directory = join(cli.directory, 'clients.json');
    const examined = async (rules: string) => {
      cli.configure({
        consul: {
          address: mesh.consul.address,
          token: await mesh.tokenWith(`acl = "read" ${LEAST} ${rules}`),
        },
        scopes: { 'orders:write': { to: 'orders', user: 'required' } },
        providers: [
          { name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory, audience: 'orders' },
        ],
      });
      return (await examine()).of('consul.token');
    };
    for (const weak of ['', 'mesh = "read"', 'mesh = "read" operator = "write"'])
      expect(await examined(weak)).toMatchObject({
        severity: 'error',
        message: expect.stringContaining('write mesh'),
        remedy: expect.stringContaining('mesh = "write"'),
      });
    expect((await examined('mesh = "write"'))?.severity).toBe('ok');
    // Where no rule is about the mesh, Consul takes that of the operator.
    expect((await examined('operator = "write"'))?.severity).toBe('warning');
  });

  it('finds a token that sees only a part, a missing token, and a wrong one', async () => {
    await useToken('service "orders" { policy = "read" intentions = "write" }');
    const partial = await examine();
    expect(partial.status).toBe(1);
    expect(partial.of('consul.read-catalog')?.severity).toBe('error');
    cli.configure({ consul: { address: mesh.consul.address } });
    expect((await examine()).of('consul.token')?.severity).toBe('error');
    cli.configure({
      consul: { address: mesh.consul.address, token: '00000000-0000-0000-0000-00000000dead' },
    });
    expect((await examine()).of('consul.reachable')?.severity).toBe('error');
  });

  it('exits 1 for an unreachable Consul or identity provider, and still checks the other', async () => {
    cli.brokenIdp('{');
    const idp = await examine();
    expect(idp.status).toBe(1);
    expect(idp.of('provider.main')?.severity).toBe('error');
    expect(idp.of('consul.reachable')?.severity).toBe('ok');
    cli.idp(web);
    cli.configure({ consul: { address: 'http://127.0.0.1:9' } });
    const consul = await examine();
    expect(consul.status).toBe(1);
    expect(consul.of('consul.reachable')?.severity).toBe('error');
    expect(consul.of('provider.main')?.severity).toBe('ok');
  });

  it('refuses an old version, one that cannot enforce user: required, and a mesh that allows by default', async () => {
    const directory = join(cli.directory, 'clients.json');
    const requiringUsers = {
      scopes: { 'orders:write': { to: 'orders', user: 'required' } },
      providers: [
        { name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory, audience: 'orders' },
      ],
    };
    const old = await createEmbeddedConsul({ defaultPolicy: 'allow', version: '1.13.9' });
    try {
      cli.configure({
        consul: { address: old.address, token: old.managementToken },
        ...requiringUsers,
      });
      const { status, of } = await examine();
      expect(status).toBe(1);
      expect(of('consul.version')).toMatchObject({
        severity: 'error',
        message: expect.stringContaining('1.13.9'),
      });
      expect(of('consul.default-policy')?.severity).toBe('error');
    } finally {
      await old.close();
    }
    cli.configure(requiringUsers);
    expect((await examine()).of('consul.version')?.message).toContain('user: required');
    const young = await startMesh('1.16.1');
    const proxy = await startConsulProxy(young.consul.address);
    try {
      cli.configure({
        consul: { address: proxy.address, token: young.consul.managementToken },
        ...requiringUsers,
      });
      expect((await examine()).of('consul.agents')?.severity).toBe('ok');
      const member = (build: string) => ({ Status: 1, Tags: { build } });
      proxy.interfere = ({ target }) =>
        target.startsWith('/v1/agent/members')
          ? { status: 200, body: JSON.stringify([member('1.16.1:a'), member('1.15.3:b')]) }
          : undefined;
      expect((await examine()).of('consul.agents')).toMatchObject({
        severity: 'error',
        message: expect.stringContaining('1.15.3 would let calls through'),
      });
    } finally {
      await proxy.close();
      await young.consul.close();
    }
  });

  it('wants a token that may write ACLs if clients log in, and says how long agents cache revoked tokens', async () => {
    const login = {
      login: 'on',
      providers: [
        {
          name: 'main',
          kind: 'oidc',
          issuer: 'http://127.0.0.1:9',
          directory: join(cli.directory, 'clients.json'),
          audience: 'consul',
        },
      ],
    };
    const withRules = async (rules: string) => {
      const consul = { address: mesh.consul.address, token: await mesh.tokenWith(rules) };
      cli.configure({ ...login, consul });
      return examine();
    };
    const blind = await withRules(LEAST);
    expect([blind.status, blind.of('consul.token')]).toMatchObject([
      1,
      { severity: 'error', remedy: expect.stringContaining('acl = "write"') },
    ]);
    expect(blind.of('consul.read-acl')?.severity).toBe('error');
    const reader = await withRules(`acl = "read" ${LEAST}`);
    expect(reader.of('consul.token')).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('write acl'),
    });
    const said = await withRules(`# acl = "write"\n/* acl = "write" */ acl = "read" ${LEAST}`);
    expect(said.of('consul.token')?.severity).toBe('error');
    const writer = await withRules(`acl = "write" # mesh = "write"\n${LEAST} key "#" { policy = "read" }`);
    expect([writer.status, writer.of('consul.token')?.severity]).toEqual([0, 'ok']);
    expect(writer.of('consul.read-acl')?.severity).toBe('ok');
    expect(writer.of('acl.cache')).toMatchObject({
      severity: 'ok',
      message: expect.stringContaining('tokens for 30 s'),
    });
    expect((await withRules(`acl = "write" operator = "write" ${LEAST}`)).of('consul.token')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('operator'),
    });
  });

  it('counts static tokens other than its own, and says if it may not see them', async () => {
    const of = (id: string) => async () => (await examine()).of(id);
    expect(await of('acl.tokens')()).toMatchObject({
      severity: 'ok',
      message: expect.stringContaining('2 ACL tokens: 0 static (0 of them expire), 0 for management'),
    });
    await mesh.tokenWith('key "a" { policy = "read" }');
    await mesh.request('PUT', '/v1/acl/token', { ExpirationTTL: '1h' });
    expect(await of('acl.tokens')()).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining('4 ACL tokens: 2 static (1 of them expire)'),
      remedy: expect.stringContaining('scopemesh tokens --static'),
    });
    await useToken(LEAST);
    expect(await of('acl.tokens')()).toMatchObject({
      severity: 'notice',
      remedy: expect.stringContaining('acl = "read"'),
    });
  });

  it('names services whose sidecars may use an expired or expiring token, and says how to check an Envoy', async () => {
    expect((await examine()).of('envoy.drain-time')).toBeUndefined();
    await sidecar('web');
    const strange = await examine();
    expect(strange.of('sidecars.tokens')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('services without a valid ACL token of their own: web'),
    });
    expect(strange.of('envoy.drain-time')).toMatchObject({
      severity: 'notice',
      remedy: expect.stringContaining('drain_time'),
    });
    const identity = { ServiceIdentities: [{ ServiceName: 'web' }] };
    await mesh.request('PUT', '/v1/acl/token', { ...identity, ExpirationTTL: '2h' });
    expect((await examine()).of('sidecars.tokens')).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/^the only ACL token of web expires in 1h 59m/),
    });
    await mesh.request('PUT', '/v1/acl/token', { ...identity, ExpirationTTL: '23h' });
    expect((await examine()).of('sidecars.tokens')?.message).toMatch(
      /^all 2 ACL tokens of web expire, the last one in 22h 59m/,
    );
    await mesh.request('PUT', '/v1/acl/token', identity);
    expect((await examine()).of('sidecars.tokens')).toMatchObject({ severity: 'ok' });
  });

  it('finds an agent whose tokens all expire', async () => {
    const NodeIdentities = [{ NodeName: 'machine-1', Datacenter: 'dc1' }];
    await mesh.request('PUT', '/v1/acl/token', { NodeIdentities, ExpirationTTL: '2h' });
    expect((await examine()).of('agents.tokens')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('of node dc1/machine-1 expires in 1h 59m'),
    });
  });

  it('finds a client that two services claim', async () => {
    await mesh.register('api', { client: 'web-app' });
    cli.idp({ ...web, attributes: { 'consul-services': 'web,api' } });
    expect((await examine()).of('claims.several')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('main/web-app is claimed by api and web'),
    });
  });

  it('finds a state directory that cannot be created', async () => {
    expect((await examine()).of('state')).toMatchObject({ severity: 'notice' });
    cli.configure({ state: { directory: join(cli.configFile, 'state') } });
    const { status, of } = await examine();
    expect([status, of('state')]).toMatchObject([
      1,
      { severity: 'error', message: expect.stringContaining(`cannot be created in ${cli.configFile}`) },
    ]);
  });

  it('says what it did not check if Consul cannot be read completely', async () => {
    await useToken('service "orders" { policy = "read" }');
    expect((await examine()).of('rules')).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining('rules and claims are not checked'),
    });
  });

  it('prints findings as text too, with the remedies', async () => {
    const { out } = await cli.run(['doctor']);
    expect(out).toMatch(/^ok {7}Consul answers/m);
    expect(out).toMatch(/warning {2}the ACL token is stronger/);
    expect(out).toMatch(/\d+ errors?, \d+ warnings?, \d+ notices?, \d+ ok\.$/m);
    expect(out).not.toMatch(/\b1 (?:errors|warnings|notices)\b/);
  });
});
