import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { foreignFindings } from '../../../src/cli/doctor/foreign-findings.js';
import { toShellWord } from '../../../src/model/shell-word.js';
import { shadowedRules } from '../../../src/plan/shadowed-rules.js';
import { WorldState } from '../../../src/state/world-state.js';
import { ALLOW, entry, mapping, NOW, SETTINGS, source } from '../../plan/scene.js';
import { type CommandLine, createCommandLine, type DoctorFinding } from '../../support/command-line.js';
import { type Mesh, startMesh } from '../../support/mesh.js';

let mesh: Mesh;
let cli: CommandLine;
const web = { clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } };

beforeAll(async () => {
  mesh = await startMesh('1.16.1');
  cli = createCommandLine(mesh);
  for (const name of ['orders', 'billing', 'job']) await mesh.register(name);
  await mesh.register('web', { client: 'web-app' });
  for (const name of ['orders', 'billing']) await mesh.speaks(name, 'http');
});
beforeEach(async () => {
  for (const name of ['orders', 'billing', '*']) await mesh.remove(encodeURIComponent(name));
  cli.configure({ scopes: { 'orders:read': { to: 'orders', methods: ['GET'] } } });
  cli.idp(web);
});
afterAll(async () => {
  cli.close();
  await mesh.consul.close();
});

/** Every finding with this ID has a remedy. */
async function examine(id: string): Promise<readonly string[]> {
  const { json } = await cli.run(['doctor', '--json']);
  const found = (json().findings as DoctorFinding[]).filter((finding) => finding.id === id);
  for (const { remedy } of found) expect(remedy).not.toBe('');
  return found.map(({ message }) => message);
}

describe('doctor on intentions of others', () => {
  it('says who gains by a wildcard, and leaves out who has an exact intention', async () => {
    await mesh.write('orders', [
      { Name: '*', Action: 'allow' },
      { Name: 'job', Action: 'deny' },
    ]);
    expect(await examine('mesh.wildcard')).toEqual([
      'the intention * -> orders, which scopemesh does not own, allows everything; who gains by it, because no exact intention decides: billing, web',
    ]);
  });

  it('finds wildcards of destinations, and no denial', async () => {
    await mesh.write('*', [
      { Name: 'job', Action: 'allow' },
      { Name: '*', Action: 'deny' },
    ]);
    await mesh.write('billing', [{ Name: '*', Action: 'deny' }]);
    expect(await examine('mesh.wildcard')).toEqual([
      expect.stringContaining(
        'the intention job -> *, which scopemesh does not own, allows everything; job may call',
      ),
    ]);
  });

  it('finds an allow that is wider than the rule, and none that is not', async () => {
    await mesh.write('orders', [{ Name: 'web', Action: 'allow' }]);
    expect(await examine('mesh.wider')).toEqual([
      expect.stringContaining(
        'allows everything, but the scopes of its client main/web-app open GET any path',
      ),
    ]);
    cli.configure({ scopes: { 'orders:read': { to: 'orders' } } });
    expect(await examine('mesh.wider')).toEqual([]);
  });

  it('leaves what another instance wrote to select.overlap', async () => {
    await mesh.write('orders', [{ Name: 'web', Action: 'allow', Description: 'scopemesh:other' }]);
    expect(await examine('mesh.wider')).toEqual([]);
    expect(await examine('select.overlap')).toEqual([
      expect.stringContaining('the instance with owner other also writes intentions to orders'),
    ]);
  });

  it('names sources of peers', async () => {
    await mesh.write('orders', [{ Name: 'web', Peer: 'east', Action: 'allow' }]);
    expect(await examine('mesh.peers')).toEqual([expect.stringContaining('web of the peer east -> orders')]);
  });

  it('names sources of sameness groups, which only Consul Enterprise has', () => {
    const world = new WorldState(mapping(), SETTINGS);
    const raw = { Name: 'web', SamenessGroup: 'all', Action: 'allow' };
    world.putEntries([entry('orders', source('web', ALLOW, '', { peer: 'all', raw }))], NOW);
    expect(foreignFindings(world, NOW)).toEqual([
      expect.objectContaining({
        id: 'mesh.peers',
        message: expect.stringContaining('web of the sameness group all -> orders'),
      }),
    ]);
  });

  it('finds requirements of two JWT providers that one token cannot meet', async () => {
    const jwt = (name: string) => ({ Providers: [{ Name: name }] });
    for (const Name of ['a', 'b'])
      await mesh.request('PUT', '/v1/config', {
        Kind: 'jwt-provider',
        Name,
        Issuer: `https://${Name}.example.com`,
        JSONWebKeySet: { Remote: { URI: `https://${Name}.example.com/keys` } },
      });
    const source = (name: string) => ({
      Name: 'job',
      Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' }, JWT: jwt(name) }],
    });
    const write = (name: string) =>
      mesh.request('PUT', '/v1/config', {
        Kind: 'service-intentions',
        Name: 'orders',
        JWT: jwt('a'),
        Sources: [source(name)],
      });
    await write('a');
    expect(await examine('jwt.unsatisfiable')).toEqual([]);
    await write('b');
    expect(await examine('jwt.unsatisfiable')).toEqual([
      'calls of orders need a token of a for the whole entry, and job also one of b: one token cannot be of both',
    ]);
  });
});

describe('doctor on the mapping', () => {
  it('finds rules that match nothing, and rules that a wider one shadows', async () => {
    cli.configure({
      scopes: {
        'orders:read': { to: 'orders', methods: ['GET'] },
        'orders:*': { to: 'orders' },
        'billing:pay': { to: 'billing' },
      },
    });
    expect(await examine('rules.unmatched')).toEqual([
      'rules that match no scope of any client: scopes."billing:pay"',
    ]);
    expect(await examine('rules.shadowed')).toEqual([
      'the rule scopes."orders:read" has no effect: scopes."orders:*" opens all of it, and rules add up',
    ]);
  });

  it('finds clients over the limits of their actor kind', async () => {
    cli.configure({
      scopes: { 'orders:read': { to: 'orders' } },
      actors: { workload: { maxTokenTtl: '5m', never: ['orders:*'] } },
    });
    cli.idp({ ...web, accessTokenLifetimeSeconds: 3600 } as typeof web);
    expect(await examine('actors.lifetime')).toEqual([
      expect.stringContaining('main/web-app (workload: 3600 s, limit 300 s)'),
    ]);
    expect(await examine('actors.limited')).toEqual([
      'clients with scopes that their actor kind may not use: main/web-app (workload): orders:read',
    ]);
  });
});

it.each([
  ['orders', 'orders'],
  ['*', "'*'"],
  ["a'; rm -rf ~ #", String.raw`'a'\''; rm -rf ~ #'`],
])('the name %s in a command to copy is one word', (name, word) => {
  expect(toShellWord(name)).toBe(word);
});

describe('a rule is shadowed', () => {
  const rule = (scope: string, more: object = {}) => ({ scope, to: 'orders', userRequired: false, ...more });
  it.each([
    ['by a pattern that matches its scope', [rule('a:read', { methods: ['GET'] }), rule('a:*')], 1],
    ['once by an equal one', [rule('a'), rule('a')], 1],
    ['by a capture with the same destination', [rule('orders:x'), rule('{s}:x', { to: '{s}' })], 1],
    ['not by a capture with another destination', [rule('billing:x'), rule('{s}:x', { to: '{s}' })], 0],
    ['not by a narrower one', [rule('a'), rule('a', { methods: ['GET'] })], 1],
    ['not by one of another API', [rule('a'), rule('a', { api: 'x' })], 0],
    ['not by one for fewer actors', [rule('a'), rule('*', { actors: ['human'] })], 0],
    ['not by one that requires a user', [rule('a'), rule('*', { userRequired: true })], 0],
    ['not if its pattern may match more', [rule('a*'), rule('ab*')], 0],
    ['not by ACL rules', [rule('a'), { scope: '*', acl: 'x', userRequired: false }], 0],
  ])('%s', (_, rules, count) => {
    expect(shadowedRules({ rules })).toHaveLength(count);
  });
});
