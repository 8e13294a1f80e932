import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { Mesh } from '../../../src/console/answers.js';
import { readMesh } from '../../../src/console/api/map.js';
import { answerOfMap, type MapQuery, partOf } from '../../../src/console/api/map-part.js';
import type { ConsoleParts } from '../../../src/console/api/parts.js';
import { ALLOW, claiming, DENY, entry, keyOf, source } from '../../plan/scene.js';
import { GET, holdOn, partsOf } from './console-world.js';

const MARK = 'scopemesh:pay client=main/web';

function grouping(parts: ConsoleParts, ...groupBy: readonly string[]): ConsoleParts {
  const config = { consul: {}, http: { console: { groupBy } } } as unknown as ConsoleParts['config'];
  return { ...parts, config };
}

const SCENE = partsOf(
  {
    services: [
      {
        ...claiming('web', 'web'),
        instances: [{ id: '1', node: 'n', kind: '', meta: { team: 'shop' }, tags: [] }],
      },
      claiming('pay-api', 'pay'),
      claiming('pay-db', 'db'),
      claiming('alone', 'alone'),
    ],
    entries: new Map(
      [
        entry('pay-api', source('web', GET, MARK), source('*', DENY)),
        entry('pay-db', source('pay-api', ALLOW), source('web', ALLOW, '', { peer: 'east' })),
      ].map((each) => [keyOf(each.destination.name), each]),
    ),
  },
  [holdOn('alone', 'pay-api', 'ForeignSource')],
);

/** Each edge as `from > to state access [scopes]`. */
function edgesOf({ services: { names }, signs, grants, edges }: Mesh): readonly string[] {
  return edges.from.map((from, at) => {
    const { state, access } = signs[edges.signs[at] ?? -1] ?? {};
    const scopes = grants[edges.grants[at] ?? -1] ?? [];
    return `${names[from]} > ${names[edges.to[at] ?? -1]} ${state} ${access} [${scopes}]`;
  });
}

const ALL: MapQuery = { group: '', focus: '', hops: 1, q: '' };

it('has every edge once, with its state and the scopes that opened it', async () => {
  const mesh = await readMesh(grouping(SCENE, 'meta.team', 'prefix'));
  expect(Mesh.parse(mesh)).toEqual(mesh);
  expect(edgesOf(mesh)).toEqual([
    '* > pay-api foreign deny []',
    'alone > pay-api held none []',
    'pay-api > pay-db foreign all []',
    'web > pay-api open http [orders]',
    'web (east) > pay-db foreign all []',
  ]);
  expect(mesh.services.callers).toEqual([0, 0, 1, 2, 0, 0]);
  expect(mesh.signs.find(({ access }) => access === 'http')).toMatchObject({ methods: ['GET'], user: false });
  expect(mesh.total).toEqual({ services: 6, edges: 5 });
});

it('groups a service by the first key that the service has a value for', async () => {
  const groupsBy = async (...keys: readonly string[]) => {
    const { services, groups } = await readMesh(grouping(SCENE, ...keys));
    return services.names.map((name, at) => `${name}:${groups[services.groups[at] ?? -1]}`);
  };
  expect(await groupsBy('meta.team', 'prefix')).toEqual([
    '*:others',
    'alone:alone',
    'pay-api:pay',
    'pay-db:pay',
    'web:shop',
    'web (east):others',
  ]);
  expect(await groupsBy('namespace', 'provider')).toContain('pay-api:main');
});

it('takes the part around a service, of a group, or by a part of the name', async () => {
  const mesh = await readMesh(grouping(SCENE, 'prefix'));
  const part = (changes: Partial<MapQuery>) =>
    edgesOf(partOf(mesh, { ...ALL, ...changes })).map((each) => each.split(' ')[0]);
  expect(part({ focus: 'pay-db' })).toEqual(['pay-api', 'web']);
  expect(part({ focus: 'pay-db', hops: 2 })).toEqual(['*', 'alone', 'pay-api', 'web', 'web']);
  expect(part({ q: 'DB' })).toEqual(['pay-api', 'web']);
  expect(part({ group: 'alone' })).toEqual(['alone']);
  expect(part({ group: 'no such group' })).toEqual([]);
  expect(partOf(mesh, { ...ALL, focus: 'web' }).services.names).toEqual(['pay-api', 'web']);
  expect(partOf(mesh, { ...ALL, q: 'alone' }).total).toEqual(mesh.total);
});

it('does not go on through a hub, which nearly everything calls', async () => {
  const names = Array.from({ length: 30 }, (_, at) => `s${at}`);
  const entries = [
    entry('hub', ...names.map((name) => source(name, ALLOW))),
    entry('behind', source('hub', ALLOW)),
    entry('s1', source('s0', ALLOW)),
  ];
  const parts = partsOf({ entries: new Map(entries.map((each) => [keyOf(each.destination.name), each])) });
  const mesh = await readMesh(grouping(parts, 'prefix'));
  expect(partOf(mesh, { ...ALL, focus: 's0', hops: 3 }).services.names).toEqual(['hub', 's0', 's1']);
  expect(partOf(mesh, { ...ALL, focus: 'hub', hops: 1 }).services.names).toHaveLength(32);
});

it('sends the answer compressed, and nothing to who has it already', async () => {
  const mesh = await readMesh(grouping(SCENE, 'prefix'));
  const sent = await answerOfMap(mesh, ALL, { 'accept-encoding': 'br, gzip' });
  expect(JSON.parse(gunzipSync(sent.body ?? '').toString())).toEqual(mesh);
  const later = { ...mesh, asOf: { ...mesh.asOf, decision: 'newer' } };
  const again = await answerOfMap(later, ALL, { 'if-none-match': sent.headers.etag });
  expect(again).toMatchObject({ status: 304 });
  expect(again.body).toBeUndefined();
  expect((await answerOfMap(mesh, { ...ALL, q: 'db' }, { 'if-none-match': sent.headers.etag })).status).toBe(
    200,
  );
});
