import { describe, expect, test } from 'vitest';
import { type PlainPath, toPlainPathRegex } from '../../src/model/plain-path.js';
import type { Rule } from '../../src/model/rule.js';
import { destinationsOfScope, openingsOf } from '../../src/plan/openings.js';
import { client, mapping, rule } from './scene.js';

const opened = (rules: readonly Rule[], scopes: readonly string[]) =>
  openingsOf(client('web', scopes), mapping({ rules }));

const plain = (kind: PlainPath['kind'], text: string) => toPlainPathRegex({ kind, text });

describe('a scope opens', () => {
  test.each<[string, Partial<Rule>, unknown]>([
    ['the whole destination where nothing narrows it', {}, { kind: 'allow' }],
    [
      'a path with all that lies under it',
      { path: '/v1/' },
      { kind: 'http', permissions: [{ pathRegex: plain('path', '/v1') }] },
    ],
    [
      'a prefix',
      { pathPrefix: '/v1/ord' },
      { kind: 'http', permissions: [{ pathRegex: plain('prefix', '/v1/ord') }] },
    ],
    [
      'a path as the client sends it where the rule says so',
      { path: '/v1/', rawPath: true },
      { kind: 'http', permissions: [{ pathExact: '/v1' }, { pathPrefix: '/v1/' }] },
    ],
    [
      'a prefix as the client sends it where the rule says so',
      { pathPrefix: '/v1/ord', rawPath: true },
      { kind: 'http', permissions: [{ pathPrefix: '/v1/ord' }] },
    ],
    [
      'everything over HTTP for the path /',
      { path: '/' },
      { kind: 'http', permissions: [{ pathPrefix: '/' }] },
    ],
    [
      'methods on every path',
      { methods: ['PUT', 'GET'] },
      { kind: 'http', permissions: [{ methods: ['GET', 'PUT'] }] },
    ],
    ['an exact path', { pathExact: '/x' }, { kind: 'http', permissions: [{ pathExact: '/x' }] }],
    ['an expression', { pathRegex: '/x.' }, { kind: 'http', permissions: [{ pathRegex: '/x.' }] }],
  ])('%s', (_, changes, access) => {
    const { openings } = opened([rule('s', 'orders', changes)], ['s']);
    const [first] = openings;
    expect(
      first?.access.kind === 'http'
        ? { ...first.access, permissions: expect.arrayContaining([...first.access.permissions]) }
        : first?.access,
    ).toEqual(access);
    expect(openings).toHaveLength(1);
  });

  test.each(['/v1/../admin', '/v1/%2e%2e', '/v1//x'])(
    'nothing by the path %s, which is not plain',
    (path) => {
      expect(opened([rule('s', 'orders', { path })], ['s']).openings).toEqual([]);
      expect(opened([rule('s', 'orders', { path, rawPath: true })], ['s']).openings).toHaveLength(1);
    },
  );

  test('what each matching rule says', () => {
    const { openings } = opened([rule('s', 'a'), rule('*', 'b'), rule('t', 'c')], ['s']);
    expect(openings.map((opening) => opening.destination)).toEqual(['a', 'b']);
  });

  test('the destination that it captures', () => {
    const { openings } = opened([rule('{service}:connect', '{service}')], ['orders:connect']);
    expect(openings).toEqual([{ destination: 'orders', access: { kind: 'allow' }, scope: 'orders:connect' }]);
  });

  test('nothing for a disabled client', () => {
    const disabled = client('web', ['s'], { enabled: false });
    expect(openingsOf(disabled, mapping({ rules: [rule('s', 'a')] })).openings).toEqual([]);
  });

  test('nothing at another API or of another provider', () => {
    const rules = [rule('s', 'a', { api: 'x' }), rule('s', 'b', { provider: 'other' }), rule('s', 'c')];
    const ofApi = client('web', [], { grants: [{ api: 'x', name: 's' }] });
    expect(opened(rules, ['s']).openings.map((each) => each.destination)).toEqual(['c']);
    expect(openingsOf(ofApi, mapping({ rules })).openings.map((each) => each.destination)).toEqual(['a']);
    const two = mapping({ rules, providers: ['main', 'other'] });
    expect(openingsOf(client('web', ['s']), two).openings).toEqual([]);
  });
});

describe('a scope is held', () => {
  test.each(['*', 'Orders', 'or/ders', 'orders\n', '-x', 'ＯＲＤＥＲＳ'])(
    'where its destination %j is not a plain service name',
    (to) => {
      const { openings, held } = opened([rule('s', to)], ['s']);
      expect(openings).toEqual([]);
      expect(held).toMatchObject([{ destination: to.toLowerCase(), reason: 'InvalidServiceName' }]);
    },
  );
});

describe("a user's token is asked for", () => {
  test('where the rule says so', () => {
    const { openings } = opened([rule('s', 'orders', { userRequired: true })], ['s']);
    expect(openings).toMatchObject([{ destination: 'orders', user: { actsForHuman: false } }]);
  });

  test('and for whom it acts where the kind of client acts only on behalf of a human', () => {
    const agent = mapping({
      rules: [rule('s', 'orders')],
      classify: [{ clientId: '*', kind: 'agent' }],
      limits: { human: { never: [] }, workload: { never: [] }, agent: { never: [], onBehalfOf: 'human' } },
    });
    expect(openingsOf(client('web', ['s']), agent).openings).toMatchObject([
      { user: { actsForHuman: true } },
    ]);
  });
});

test('a scope that the kind of client may never use opens nothing and is reported', () => {
  const limited = mapping({
    rules: [rule('a:admin', 'orders'), rule('b', 'orders', { actors: ['human'] })],
    limits: { human: { never: [] }, workload: { never: ['*:admin'] }, agent: { never: [] } },
  });
  const { openings, limited: limitedScopes } = openingsOf(client('web', ['a:admin', 'b']), limited);
  expect(openings).toEqual([]);
  expect(limitedScopes).toEqual(['a:admin', 'b']);
});

test('evidence about a scope reaches the destinations of all its rules, and of none about another API', () => {
  const rules = [rule('s', 'a'), rule('*', 'b'), rule('*', 'c', { api: 'x' }), rule('t', 'd')];
  expect([...destinationsOfScope('main', { name: 's' }, mapping({ rules }))]).toEqual(['a', 'b']);
  expect([...destinationsOfScope('main', { name: 's', api: 'x' }, mapping({ rules }))]).toEqual(['c']);
});
