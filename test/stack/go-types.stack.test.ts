import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { logFindings } from '../../src/cli/doctor/log-findings.js';
import { systemClock } from '../../src/clock.js';
import type { Consul } from '../../src/consul/consul.js';
import { fromSpec } from '../../src/consul/crd/manifest.js';
import { toIntentionsText } from '../../src/consul/crd/own-entries.js';
import { createHttpConsul } from '../../src/consul/http/http-consul.js';
import { createEmbeddedConsul, type EmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import type { CallingGatewayKind } from '../../src/model/catalog.js';
import type { NewSource } from '../../src/model/intention.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { obstaclesOf } from '../../src/plan/reach.js';
import { mapping } from '../plan/scene.js';
import { type ConsulProxy, startConsulProxy } from '../support/consul-proxy.js';
import { everyPermission, HOSTILE } from '../support/every-permission.js';
import { API_GATEWAY } from '../support/gateway-entries.js';

const never = new AbortController().signal;
const sources = fileURLToPath(new URL('./go-types/', import.meta.url));

let directory: string;
let binary: string;
let server: EmbeddedConsul;
let proxy: ConsulProxy;
let consul: Consul;

/** Runs a program to its end, with `input` as its standard input. */
async function run(command: string, args: readonly string[], input = '', timeoutMs = 60_000) {
  const child = spawn(command, args, { cwd: sources, timeout: timeoutMs });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.end(input);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { status, out, err };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'scopemesh-go-types-'));
  binary = join(directory, 'go-types');
  const built = await run('go', ['build', '-mod=readonly', '-o', binary, '.'], '', 300_000);
  if (built.status !== 0) throw new Error(`the Go types could not be built: ${built.err.slice(-2000)}`);
  server = await createEmbeddedConsul({ defaultPolicy: 'deny', version: '1.16.1' });
  proxy = await startConsulProxy(server.address);
  consul = createHttpConsul({
    address: proxy.address,
    token: new Secret(server.managementToken),
    owner: 'payments',
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
}, 320_000);

afterAll(async () => {
  await consul?.close();
  await proxy?.close();
  await server?.close();
  await rm(directory, { recursive: true, force: true });
});

const PROVIDER = {
  name: 'scopemesh-payments-main-_users',
  issuer: 'https://sso.example.com/realms/main',
  audiences: ['consul'],
  jwksUri: 'https://sso.example.com/certs?a=1&b=<2>',
  caFile: '/etc/ssl/certs/ca-certificates.crt',
  forwardHeader: 'x-user-claims',
  meta: { scopemesh: 'scopemesh:payments', 'scopemesh-provider': 'main' },
};

const PERMISSIONS = everyPermission(PROVIDER.name);

describe("what scopemesh writes, as the types of Consul's Go client have it", () => {
  it('has no field that the types do not know, and loses none', async () => {
    await consul.jwtProviders.write(PROVIDER, 0, never);
    const named = (name: string) => ({ name, namespace: 'default', partition: 'default' });
    const description = 'scopemesh:payments client=main/web-app';
    const request = (body: unknown) =>
      fetch(`${server.address}/v1/config`, {
        method: 'PUT',
        headers: { 'X-Consul-Token': server.managementToken },
        body: JSON.stringify(body),
      });
    await request({ Kind: 'service-defaults', Name: 'orders', Protocol: 'http' });
    const result = await consul.intentions.write(
      named('orders'),
      undefined,
      [
        { ...named('web'), description, access: { kind: 'http', permissions: PERMISSIONS } },
        { ...named('api'), description, access: { kind: 'allow' } },
        { ...named('job'), description, access: { kind: 'deny' } },
      ],
      0,
      never,
    );
    expect(result.kind).toBe('written');
    const written: unknown[] = proxy.writes.map(({ body }) => JSON.parse(body));
    expect(written).toMatchObject([{ Kind: 'jwt-provider' }, { Kind: 'service-intentions' }]);
    const { status, out, err } = await run(binary, [], JSON.stringify(written));
    expect([status, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject(written);
  });

  it('reads an API gateway and its routes as those types write them', async () => {
    const put = (entry: unknown) =>
      fetch(`${server.address}/v1/config`, {
        method: 'PUT',
        headers: { 'X-Consul-Token': server.managementToken },
        body: JSON.stringify(entry),
      });
    const { status, out, err } = await run(binary, [], JSON.stringify(API_GATEWAY));
    expect([status, err]).toEqual([0, '']);
    const written = JSON.parse(out) as readonly unknown[];
    expect(written).toMatchObject(API_GATEWAY);
    for (const entry of written) expect((await put(entry)).status).toBe(200);
    const place = { namespace: 'default', partition: 'default' };
    expect(await consul.reachability.readGateways('api-gateway', place, never)).toEqual([
      {
        name: 'edge',
        routes: [
          { service: 'orders', protocol: 'http', place: 'http-route shop' },
          { service: 'billing', protocol: 'http', place: 'http-route shop' },
          { service: 'mail', protocol: 'tcp', place: 'tcp-route mail' },
        ],
      },
    ]);
  });

  it('takes the entries that reach prints for routes and protocols', async () => {
    const facts = (protocol: string, kind: CallingGatewayKind) => ({
      source: 'edge',
      destination: 'orders',
      proxies: [],
      sourceInstances: [],
      destinationInstances: [],
      gateway: { kind, routes: [], registered: 1, passing: 1 },
      protocol,
      health: { registered: 1, passing: 1 },
      gateways: [],
      routes: [],
      takenPorts: new Set<number>(),
    });
    const upstreamProtocols = new Map([['orders', 'grpc']]);
    const registration = { id: 'web-proxy', node: 'machine-1', service: {} };
    const proxy = { ...registration, upstreams: ['orders'], reachesAll: false, upstreamProtocols };
    const obstacles = [
      ...(['http', 'tcp'] as const).flatMap((protocol) =>
        (['api-gateway', 'ingress-gateway'] as const).flatMap((kind) => obstaclesOf(facts(protocol, kind))),
      ),
      ...obstaclesOf({ ...facts('http', 'api-gateway'), gateway: undefined, proxies: [proxy] }),
    ];
    const entries = obstacles.map(({ remedy }): unknown => JSON.parse(/\{.*\}/.exec(remedy)?.[0] ?? ''));
    expect(entries.map((entry) => Reflect.get(Object(entry), 'Kind'))).toEqual([
      'http-route',
      'ingress-gateway',
      'tcp-route',
      'ingress-gateway',
      'service-defaults',
    ]);
    const { status, out, err } = await run(binary, [], JSON.stringify(entries));
    expect([status, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject(entries);
  });

  it('takes the access log that doctor prints', async () => {
    const [finding] = await logFindings(consul, { version: '1.16.1' }, mapping(), never);
    const [, entry = ''] = /echo '(.*)' \|/.exec(finding?.remedy ?? '') ?? [];
    const { status, out, err } = await run(binary, [], `[${entry}]`);
    expect([status, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject([JSON.parse(entry)]);
  });

  it('reads manifests as kubectl does', async () => {
    const named = (name: string) => ({ name, namespace: 'default', partition: 'default' });
    // Texts for which YAML 1.1 has other types, line breaks and escapes than YAML 1.2.
    const names = [
      'on',
      '~',
      '1_0',
      '0o7',
      '12:30:45',
      '.inf',
      '<<',
      '=',
      'a\u2028b\u0085c',
      '\ufeff',
      '\ufffe',
      HOSTILE,
    ];
    const sources: readonly NewSource[] = [
      ...names.map((name) => ({ ...named(name), description: name, access: { kind: 'allow' } as const })),
      { ...named('web'), description: 'web', access: { kind: 'http', permissions: PERMISSIONS } },
    ];
    const place = { partition: 'default' };
    const text = toIntentionsText(named('orders'), undefined, sources, undefined, place, '# header');
    const { status, out, err } = await run(binary, ['yaml'], text);
    expect([status, err]).toEqual([0, '']);
    const manifest = JSON.parse(out);
    expect(manifest).toEqual(parse(text));
    expect(manifest.spec.sources.map(({ name }: { name: string }) => name).toSorted()).toEqual(
      [...names, 'web'].toSorted(),
    );
    // What consul-k8s makes of it.
    const Sources = fromSpec(manifest.spec.sources);
    const entry = { Kind: 'service-intentions', Name: 'orders', Sources };
    const decoded = await run(binary, [], JSON.stringify([entry]));
    expect([decoded.status, decoded.err]).toEqual([0, '']);
    expect(JSON.parse(decoded.out)).toMatchObject([entry]);
  });

  it.each([
    [{ Kind: 'jwt-provider', Name: 'a', Audience: ['consul'] }, 'unknown field "Audience"'],
    [
      { Kind: 'service-intentions', Name: 'a', Sources: [{ Name: 'b', Permissions: [{ Jwts: {} }] }] },
      'unknown field "Jwts"',
    ],
    [{ Kind: 'jwt-provider', Name: 'a', Audiences: 'consul' }, 'cannot unmarshal string'],
  ])('would be refused as %j', async (entry, fault) => {
    const { status, err } = await run(binary, [], JSON.stringify([entry]));
    expect(status).toBe(1);
    expect(err).toContain(fault);
  });
});
