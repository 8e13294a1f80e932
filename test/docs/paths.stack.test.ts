import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { toRawSource } from '../../src/consul/source-access.js';
import type { Access } from '../../src/model/intention.js';
import type { Rule } from '../../src/model/rule.js';
import { admits } from '../../src/plan/access.js';
import { openingsOf } from '../../src/plan/openings.js';
import { startScopemesh } from '../e2e/scopemesh.js';
import { client, mapping, rule } from '../plan/scene.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { type Mesh, startMesh } from '../stack/envoy.js';
import { freePort } from '../stack/ports.js';
import { createRunDirectory, removeRunDirectory } from '../stack/process.js';
import { until } from '../support/until.js';
import { codes, rows, textOf } from './manual.js';

/** What paths.md says a rule `path: /v1/orders` lets through, without and with `rawPath`. */
const TABLE = rows(textOf('docs/reference/paths.md').split('<!-- paths of /v1/orders -->')[1] ?? '')
  .map(([path = '', plain = '', raw = '']) => ({
    path: codes(path)[0] ?? '',
    plain: /yes/.test(plain),
    raw: /yes/.test(raw),
  }))
  .filter(({ path }) => path.startsWith('/'));

let consul: ConsulHandle;
let mesh: Mesh;
beforeAll(async () => {
  consul = await startConsul();
  mesh = await startMesh(consul, {
    services: [
      { name: 'orders', protocol: 'http' },
      { name: 'web', upstreams: ['orders'], meta: { 'oauth-client-id': 'web-app' } },
    ],
  });
});
afterAll(async () => {
  await mesh?.stop();
  await consul?.stop();
});

/** The status, and the path as the service saw it where it was asked. */
function ask(path: string): Promise<{ readonly status: number; readonly seen?: string }> {
  const { hostname, port } = new URL(mesh.upstreamAddress('web', 'orders'));
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: hostname, port, path, agent: false, timeout: 10_000 }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const status = answer.statusCode ?? 0;
        const seen = status === 200 ? JSON.parse(Buffer.concat(chunks).toString()).path : undefined;
        resolve(seen === undefined ? { status } : { status, seen });
      });
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer to ${path}`)));
    outgoing.once('error', reject);
    outgoing.end();
  });
}

const NAMED = { partition: 'default', namespace: 'default' };

/** Writes the intention and waits until Envoy has it, which the path `/at/TURN` tells. */
let turn = 0;
async function open(...accesses: readonly Access[]): Promise<void> {
  turn++;
  const permissions = accesses.flatMap((access) => {
    const raw = toRawSource({ ...NAMED, name: 'web', description: '', access });
    return Array.isArray(raw.Permissions) ? (raw.Permissions as unknown[]) : [];
  });
  const at = { Action: 'allow', HTTP: { PathExact: `/at/${turn}` } };
  const source = { Name: 'web', Type: 'consul', Permissions: [...permissions, at] };
  await consul.request('PUT', '/v1/config', {
    Kind: 'service-intentions',
    Name: 'orders',
    Sources: [source],
  });
  await mesh.waitForStatus(200, { from: 'web', to: 'orders', method: 'GET', path: `/at/${turn}` });
}

/** What the mapping makes of a rule. */
function accessOf(form: Partial<Rule>): Access {
  const rules = [rule('orders:read', 'orders', form)];
  const [opening] = openingsOf(client('web-app', ['orders:read']), mapping({ rules })).openings;
  if (opening === undefined) throw new Error('the rule opens nothing');
  return opening.access;
}

describe('a rule with a path, at a real Envoy', () => {
  it.each([
    ['plain', { path: '/v1/orders' }],
    ['raw', { path: '/v1/orders', rawPath: true }],
  ] as const)(
    'lets through what paths.md says (%s), as it was sent, and explain says the same',
    async (column, form) => {
      const access = accessOf(form);
      await open(access);
      expect(TABLE.length).toBeGreaterThan(30);
      for (const row of TABLE) {
        const { path } = row;
        expect([path, await ask(path)]).toEqual([
          path,
          row[column] ? { status: 200, seen: path } : { status: 403 },
        ]);
        expect([path, admits(access, { method: 'GET', path })]).toEqual([path, row[column]]);
      }
    },
  );

  it.each([
    [
      '/v1/ord',
      ['/v1/ord', '/v1/orders', '/v1/ord/x', '/v1/ord.x/y'],
      ['/v1/or', '/v1/ord/..', '/v1/ord%2f'],
    ],
    ['/v1/', ['/v1/', '/v1/.x', '/v1/a/b/'], ['/v1', '/v1//', '/v1/..', '/v1/../x', '/v1/.;/x']],
    ['/v1/.w', ['/v1/.w', '/v1/.well-known/x'], ['/v1/.', '/v1/..w', '/v1/.w/../x']],
    ['/v1/.', ['/v1/.w', '/v1/..w', '/v1/.w/x'], ['/v1/.', '/v1/..', '/v1/../x', '/v1/./x']],
  ])('with the prefix %s lets plain paths through', async (pathPrefix, through, refused) => {
    const access = accessOf({ pathPrefix });
    await open(access);
    for (const path of [...through, ...refused]) {
      expect([path, (await ask(path)).status]).toEqual([path, through.includes(path) ? 200 : 403]);
      expect([path, admits(access, { method: 'GET', path })]).toEqual([path, through.includes(path)]);
    }
  });

  it('takes the path for the text that it is, whatever characters it has', async () => {
    const hostile = '/v1.0/a+b(c)|[d]^$*@!~';
    await open(accessOf({ path: hostile }), accessOf({ path: '/v2.0' }));
    expect((await ask(`${hostile}/7;x=1/.well-known`)).status).toBe(200);
    expect((await ask('/v2.0/x')).status).toBe(200);
    for (const path of ['/v1x0/a+b(c)', '/v1.0/aab(c)', '/v1.0/a+b', '/v2x0', '/'])
      expect([path, (await ask(path)).status]).toEqual([path, 403]);
  });

  it('is accepted with many rules and with the longest path that the configuration takes', async () => {
    const long = `/${'a'.repeat(4_095)}`;
    const many = Array.from({ length: 200 }, (_, at) =>
      accessOf({ path: `/v1/part-${at}`, methods: ['GET'] }),
    );
    await open(...many, accessOf({ path: long }));
    expect((await ask('/v1/part-199/x')).status).toBe(200);
    expect((await ask('/v1/part-200/x')).status).toBe(403);
    expect((await ask(`${long}/x`)).status).toBe(200);
    expect((await ask(`${long}/../x`)).status).toBe(403);
  });

  it('is what the manual offers for a pathRegex: names of letters, digits, - and _', async () => {
    const [offered = ''] =
      /`(\/v1\/orders\(\/[^`]+)`/.exec(textOf('docs/reference/paths.md'))?.slice(1) ?? [];
    await open(accessOf({ pathRegex: offered }));
    expect((await ask('/v1/orders/7_a-b/items')).status).toBe(200);
    for (const { path } of TABLE.filter(({ plain, raw }) => raw && !plain))
      expect([path, (await ask(path)).status]).toEqual([path, 403]);
  });
});

describe('the upgrade of a destination, with a real scopemesh, Consul and Envoy', () => {
  const EDGES = ['web', 'batch', 'cron'];
  let directory: string;
  beforeAll(async () => {
    directory = await createRunDirectory('paths');
  });
  afterAll(() => removeRunDirectory(directory));

  it('rewrites each owned source in one write, and refuses then what it let through', async () => {
    for (const Name of ['batch', 'cron'])
      await consul.request('PUT', '/v1/catalog/register', {
        Node: 'machine-1',
        Address: '10.0.0.1',
        Service: { ID: Name, Service: Name, Meta: { 'oauth-client-id': `${Name}-app` } },
      });
    const clients = EDGES.map((name) => ({
      clientId: `${name}-app`,
      grantTypes: ['client_credentials'],
      scopes: ['orders:read'],
      attributes: { 'consul-services': name },
    }));
    await writeFile(join(directory, 'clients.json'), JSON.stringify({ clients }));
    const before = {
      ...NAMED,
      access: accessOf({ path: '/v1/orders', methods: ['GET', 'HEAD'], rawPath: true }),
    };
    const sources = EDGES.map((name) =>
      toRawSource({ ...before, name, description: `scopemesh:payments client=main/${name}-app` }),
    );
    const foreign = { Name: 'legacy', Action: 'allow', Type: 'consul', Description: 'made by hand' };
    await consul.request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: 'orders',
      Sources: [...sources, foreign],
    });
    const passes = { from: 'web', to: 'orders', method: 'GET', path: '/v1/orders/../admin' };
    await mesh.waitForStatus(200, passes);

    const listen = `127.0.0.1:${await freePort()}`;
    const daemon = await startScopemesh({
      listen,
      configuration: (state) =>
        stringify({
          owner: 'payments',
          mode: 'enforce',
          consul: { address: consul.httpAddress, token: consul.managementToken },
          providers: [
            {
              name: 'main',
              kind: 'oidc',
              issuer: 'https://idp.example.com',
              directory: join(directory, 'clients.json'),
              poll: '1s',
            },
          ],
          scopes: { 'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' } },
          guards: { maxRevocations: { percent: 0, atLeast: 0, window: '10m' } },
          http: { listen },
          state,
        }),
    });
    try {
      await daemon.ready();
      await mesh.waitForStatus(403, passes);
      await daemon.idle();
      for (const { path, plain } of TABLE)
        expect([path, (await ask(path)).status]).toEqual([path, plain ? 200 : 403]);
      const entry = Object(await consul.request('GET', '/v1/config/service-intentions/orders'));
      expect(entry.Sources.find(({ Name }: { Name: string }) => Name === 'legacy')).toMatchObject(foreign);
      const log = await daemon.log();
      expect(log.match(/"[^"]*plain paths written in place of raw ones"/g)).toHaveLength(1);
      expect(log).toContain('"edges":3');
      expect((await daemon.status()).holds).toEqual([]);
      const metrics = await (await fetch(`${daemon.address}/metrics`)).text();
      await until('three decisions, one for each edge', async () =>
        /scopemesh_decisions_total\{outcome="applied",reason="PathNormalised"\} 3/.test(metrics),
      );
      expect(metrics).not.toMatch(/reason="DriftCorrected"/);
    } finally {
      await daemon.dispose();
    }
  });
});
