import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toRawSource } from '../../src/consul/http/source-access.js';
import type { Access } from '../../src/model/intention.js';
import type { Rule } from '../../src/model/rule.js';
import { admits } from '../../src/plan/access.js';
import { openingsOf } from '../../src/plan/openings.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { type Mesh, startMesh } from '../stack/envoy.js';
import { codes, rows, textOf } from './manual.js';

/** What paths.md says a rule `path: /v1/orders` lets through. */
const TABLE = rows(textOf('docs/reference/paths.md').split('<!-- paths of /v1/orders -->')[1] ?? '')
  .map(([path = '', answer = '']) => ({ path: codes(path)[0] ?? '', passes: /yes/.test(answer) }))
  .filter(({ path }) => path.startsWith('/'));

const DECEITFUL = /\/\.{1,2}(?:\/|;|$)|\/\/|%2[ef]|%25|%5c|\\/i;

let consul: ConsulHandle;
let mesh: Mesh;
beforeAll(async () => {
  consul = await startConsul();
  mesh = await startMesh(consul, {
    services: [
      { name: 'orders', protocol: 'http' },
      { name: 'web', upstreams: ['orders'] },
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

/** Writes the intention and waits until Envoy has it, which the path `/at/TURN` tells. */
let turn = 0;
async function open(access: Access): Promise<void> {
  turn++;
  const name = { partition: 'default', namespace: 'default', name: 'web' };
  const raw = { ...toRawSource({ ...name, description: '', access }) };
  const at = { Action: 'allow', HTTP: { PathExact: `/at/${turn}` } };
  const permissions: unknown[] = Array.isArray(raw.Permissions) ? raw.Permissions : [];
  const source = { ...raw, Permissions: [...permissions, at] };
  await consul.request('PUT', '/v1/config', {
    Kind: 'service-intentions',
    Name: 'orders',
    Sources: [source],
  });
  await mesh.waitForStatus(200, { from: 'web', to: 'orders', method: 'GET', path: `/at/${turn}` });
}

/** What the mapping makes of a rule with this path. */
function accessOf(path: string): Access {
  const rule: Rule = { scope: 'orders:read', to: 'orders', path, userRequired: false };
  const limit = { never: [] };
  const { openings } = openingsOf(
    {
      provider: 'main',
      clientId: 'web-app',
      enabled: true,
      grantTypes: ['client_credentials'],
      grants: [{ name: 'orders:read' }],
      attributes: {},
    },
    {
      owner: 'payments',
      mode: 'enforce',
      revision: 'sha256:0',
      providers: ['main'],
      rules: [rule],
      claims: 'confirmed',
      classify: [],
      limits: { human: limit, workload: limit, agent: limit },
      protectedServices: [],
      acl: { login: false, providers: new Map(), groups: [] },
      maxRevocations: { percent: 20, atLeast: 10, windowMs: 600_000 },
    },
  );
  const [opening] = openings;
  if (opening === undefined) throw new Error('the rule opens nothing');
  return opening.access;
}

describe('a rule with a path, at a real Envoy', () => {
  it('lets through what paths.md says, as it was sent, and explain says the same', async () => {
    const access = accessOf('/v1/orders');
    await open(access);
    expect(TABLE.length).toBeGreaterThan(20);
    for (const { path, passes } of TABLE) {
      expect([path, await ask(path)]).toEqual([path, passes ? { status: 200, seen: path } : { status: 403 }]);
      expect([path, admits(access, { method: 'GET', path })]).toEqual([path, passes]);
    }
  });
});

/** One character of a name: no slash, backslash or percent sign by itself, nor any of them, or a dot, encoded. */
const CHARACTER = '(?:[^./%\\\\;]|%(?:[013-46-9A-Fa-f][0-9A-Fa-f]|2[0-46-9A-Da-d]|5[0-9ABD-Fabd-f]))';
/** A name between slashes: not empty, not of dots alone, and none of dots before a parameter. */
const NAME = `\\.*${CHARACTER}(?:[.;]|${CHARACTER})*`;

/** A path and what lies under it, by names that everybody reads alike. */
function readAlike(path: string): string {
  return `${path.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&')}(?:/${NAME})*/?`;
}

describe('an expression for a path and what lies under it', () => {
  it('lets through every honest path of the table and no deceitful one', async () => {
    const access: Access = { kind: 'http', permissions: [{ pathRegex: readAlike('/v1/orders') }] };
    await open(access);
    for (const { path, passes } of TABLE) {
      const expected = passes && !DECEITFUL.test(path);
      expect([path, await ask(path)]).toEqual([
        path,
        expected ? { status: 200, seen: path } : { status: 403 },
      ]);
      expect([path, admits(access, { method: 'GET', path })]).toEqual([path, expected]);
    }
  });

  it('takes a path for the text that it is', async () => {
    await open({ kind: 'http', permissions: [{ pathRegex: readAlike('/v1.0/a+b(c)') }] });
    expect((await ask('/v1.0/a+b(c)/7;x=1/.well-known')).status).toBe(200);
    expect((await ask('/v1x0/a+b(c)')).status).toBe(403);
    expect((await ask('/v1.0/aab(c)')).status).toBe(403);
  });

  it('is what the manual offers for now: names of letters, digits, - and _', async () => {
    const [offered = ''] =
      /`(\/v1\/orders\(\/[^`]+)`/.exec(textOf('docs/reference/paths.md'))?.slice(1) ?? [];
    await open({ kind: 'http', permissions: [{ pathRegex: offered }] });
    expect((await ask('/v1/orders/7_a-b/items')).status).toBe(200);
    for (const { path } of TABLE.filter((each) => DECEITFUL.test(each.path)))
      expect([path, (await ask(path)).status]).toEqual([path, 403]);
  });
});
