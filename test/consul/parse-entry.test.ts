import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSameContent } from '../../src/consul/content.js';
import { isAddressable } from '../../src/consul/http/place.js';
import { parseEntry } from '../../src/consul/parse-entry.js';
import { parseAccess, toRawSource } from '../../src/consul/source-access.js';
import { IncompleteRead } from '../../src/errors.js';
import type { Access, HeaderMatch, HttpPermission } from '../../src/model/intention.js';

const raw = (sources: readonly object[], more: object = {}) => ({
  Kind: 'service-intentions',
  Name: 'orders',
  Sources: sources,
  CreateIndex: 1,
  ModifyIndex: 2,
  ...more,
});
const parse = (value: unknown) => parseEntry(value, 'intentions.read');

const header: fc.Arbitrary<HeaderMatch> = fc
  .tuple(
    fc.string({ minLength: 1 }),
    fc.constantFrom('exact', 'prefix', 'suffix', 'regex', 'present'),
    fc.string({ minLength: 1 }),
    fc.boolean(),
  )
  .map(([name, kind, text, invert]) => ({
    name,
    [kind]: kind === 'present' ? true : text,
    ...(invert ? { invert: true } : {}),
  }));
const permission: fc.Arbitrary<HttpPermission> = fc
  .tuple(
    fc.constantFrom('pathExact', 'pathPrefix', 'pathRegex', 'none'),
    fc.string({ minLength: 1 }),
    fc.uniqueArray(fc.constantFrom('GET', 'POST', 'PUT')),
    fc.array(header, { maxLength: 3 }),
    fc.option(
      fc.record({
        provider: fc.string({ minLength: 1 }),
        verifyClaims: fc.array(
          fc.record({
            path: fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }),
            value: fc.string({ minLength: 1 }),
          }),
          { maxLength: 3 },
        ),
      }),
      { nil: undefined },
    ),
  )
  .map(([kind, path, methods, headers, jwt]) => ({
    ...(methods.length === 0 ? {} : { methods }),
    ...(kind === 'none' ? {} : { [kind]: path }),
    ...(headers.length === 0 ? {} : { headers }),
    ...(jwt === undefined ? {} : { jwt }),
  }));
const access: fc.Arbitrary<Access> = fc.oneof(
  fc.constantFrom<Access>({ kind: 'allow' }, { kind: 'deny' }),
  fc
    .array(permission, { minLength: 1, maxLength: 4 })
    .map((permissions): Access => ({ kind: 'http', permissions })),
);

const withJwt = (jwt: unknown) => ({
  Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' }, JWT: jwt }],
});

describe('the access of a source', () => {
  it('reads back as it is written, whatever it is', () => {
    fc.assert(
      fc.property(access, (given) => {
        const source = {
          name: 'web',
          namespace: 'default',
          partition: 'default',
          description: 'd',
          access: given,
        };
        expect(parseAccess(JSON.parse(JSON.stringify(toRawSource(source))))).toEqual(given);
      }),
    );
  });

  it.each([
    ['tokens of several providers', withJwt({ Providers: [{ Name: 'idp' }, { Name: 'other' }] })],
    ['a JWT requirement of no provider', withJwt({ Providers: [] })],
    ['a JWT requirement that is no map', withJwt([{ Name: 'idp' }])],
    ['a provider without a name', withJwt({ Providers: [{ VerifyClaims: [] }] })],
    ['a newer field of a JWT requirement', withJwt({ Providers: [{ Name: 'idp' }], Optional: true })],
    ['a newer field of a provider', withJwt({ Providers: [{ Name: 'idp', Audience: 'x' }] })],
    ['claims that are no list', withJwt({ Providers: [{ Name: 'idp', VerifyClaims: {} }] })],
    ['a claim without a value', withJwt({ Providers: [{ Name: 'idp', VerifyClaims: [{ Path: ['a'] }] }] })],
    [
      'a claim whose path is no list',
      withJwt({ Providers: [{ Name: 'idp', VerifyClaims: [{ Path: 'a', Value: 'b' }] }] }),
    ],
    [
      'a newer field of a claim',
      withJwt({ Providers: [{ Name: 'idp', VerifyClaims: [{ Path: ['a'], Value: 'b', Regex: true }] }] }),
    ],
    ['a permission that denies', { Permissions: [{ Action: 'deny', HTTP: { PathPrefix: '/' } }] }],
    ['a field of a newer Consul', { Action: 'allow', RateLimit: 5 }],
    [
      'a newer field of a permission',
      { Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/', Query: 'q' } }] },
    ],
    [
      'a newer field of a header',
      { Permissions: [{ Action: 'allow', HTTP: { Header: [{ Name: 'a', Exact: 'b', IgnoreCase: true }] } }] },
    ],
    ['another type', { Action: 'allow', Type: 'external' }],
    ['an unknown action', { Action: 'log' }],
    [
      'an action beside permissions',
      { Action: 'allow', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }] },
    ],
    ['nothing at all', {}],
    ['two paths', { Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/', PathExact: '/a' } }] }],
    [
      'two matches of a header',
      { Permissions: [{ Action: 'allow', HTTP: { Header: [{ Name: 'a', Exact: 'b', Prefix: 'c' }] } }] },
    ],
    ['a permission without HTTP', { Permissions: [{ Action: 'allow', HTTP: null }] }],
    ['methods that are no list', { Permissions: [{ Action: 'allow', HTTP: { Methods: 'GET' } }] }],
    [
      'headers that are no list',
      { Permissions: [{ Action: 'allow', HTTP: { Header: {}, PathExact: '/' } }] },
    ],
  ])('with %s is other', (_, fields) => {
    expect(parseAccess({ Name: 'web', ...fields })).toEqual({ kind: 'other' });
  });

  it('has the JWT requirement of one provider and all its claims', () => {
    const jwt = { Providers: [{ Name: 'idp', VerifyClaims: [{ Path: ['act', 'sub'], Value: 'bot' }] }] };
    expect(parseAccess({ Name: 'web', ...withJwt(jwt) })).toEqual({
      kind: 'http',
      permissions: [
        {
          pathPrefix: '/',
          jwt: { provider: 'idp', verifyClaims: [{ path: ['act', 'sub'], value: 'bot' }] },
        },
      ],
    });
  });

  it('is known where unknown fields hold nothing', () => {
    const source = {
      Name: 'web',
      Action: 'allow',
      Type: 'consul',
      Permissions: null,
      New: '',
      Newer: [],
      Newest: false,
    };
    expect(parseAccess(source)).toEqual({ kind: 'allow' });
  });
});

describe('an entry', () => {
  it('keeps the very source elements that it was parsed from', () => {
    const source = { Name: 'web', Action: 'allow', Unknown: { deep: [1] } };
    const value = raw([source], { Unknown: true });
    const entry = parse(value);
    expect(entry.raw).toBe(value);
    expect(entry.sources[0]?.raw).toBe(source);
  });

  it.each([
    ['LegacyID', { LegacyID: '0dc01278' }],
    ['LegacyMeta', { LegacyMeta: { a: 'b' } }],
    ['LegacyCreateTime', { LegacyCreateTime: '2026-11-25T00:43:11.2Z' }],
  ])('with %s was made by the old API', (_, fields) => {
    expect(parse(raw([{ Name: 'web', Action: 'allow', ...fields }])).sources[0]?.isLegacy).toBe(true);
  });

  it('with a zero time was not made by the old API', () => {
    const fields = { LegacyID: '', LegacyMeta: null, LegacyCreateTime: '0001-01-01T00:00:00Z' };
    expect(parse(raw([{ Name: 'web', Action: 'allow', ...fields }])).sources[0]?.isLegacy).toBe(false);
  });

  it('tells sources of another cluster, and of a sameness group, apart', () => {
    const { sources } = parse(
      raw([
        { Name: 'web', Peer: 'east', Action: 'allow' },
        { Name: 'web', SamenessGroup: 'all', Action: 'allow' },
        { Name: 'web', Namespace: 'team', Partition: 'p', Action: 'allow' },
      ]),
    );
    expect(sources.map(({ peer, namespace, partition }) => [peer, namespace, partition])).toEqual([
      ['east', 'default', 'default'],
      ['all', 'default', 'default'],
      [undefined, 'team', 'p'],
    ]);
  });

  it('of any other shape throws ERR_CONSUL_INCOMPLETE and nothing else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => parse(value)).toThrow(IncompleteRead);
      }),
    );
    for (const wrong of [
      raw([], { Kind: 'service-defaults' }),
      raw([], { Name: '' }),
      raw([], { Meta: { a: 1 } }),
      raw([], { ModifyIndex: '7' }),
      raw([], { ModifyIndex: -1 }),
      raw([], { Sources: {} }),
      raw([], { Sources: [null] }),
      raw([{ Action: 'allow' }]),
      raw([{ Name: 'web', Description: 7 }]),
      raw([{ Name: 'web', Future: 2 ** 60 }]),
      raw([{ Name: 'web', Future: 0.5 }]),
    ]) {
      expect(() => parse(wrong), JSON.stringify(wrong)).toThrow(IncompleteRead);
    }
  });
});

describe('the comparison of what was sent with what was read back', () => {
  const web = { Name: 'web', Action: 'allow', Type: 'consul', Description: 'd' };
  const api = { Name: 'api', Permissions: [{ Action: 'allow', HTTP: { Methods: ['get'] } }] };

  it('ignores what Consul computes, sorts, fills in and leaves out', () => {
    const sent = raw([web, api], { Meta: null });
    const read = raw(
      [
        {
          ...api,
          Permissions: [{ Action: 'allow', HTTP: { Methods: ['GET'], Header: null } }],
          Precedence: 9,
          Type: 'consul',
        },
        { ...web, Precedence: 8, Namespace: 'default' },
      ],
      { CreateIndex: 8, ModifyIndex: 9, Hash: 123, Partition: 'default' },
    );
    expect(isSameContent(sent, read)).toBe(true);
  });

  it.each([
    ['a source more', raw([web, api])],
    ['no source', raw([])],
    ['another action', raw([{ ...web, Action: 'deny' }])],
    ['another description', raw([{ ...web, Description: 'e' }])],
    ['another source twice', raw([web, web])],
    ['another name', raw([web], { Name: 'Orders' })],
    ['a value in Meta, though an empty one', raw([web], { Meta: { a: '' } })],
    ['a requirement of the entry', raw([web], { JWT: { Providers: [{ Name: 'idp' }] } })],
  ])('sees %s', (_, other) => {
    expect(isSameContent(raw([web]), other)).toBe(false);
  });

  it('sees the order of permissions, for the first that matches decides', () => {
    const permissions = [
      { Action: 'deny', HTTP: { PathPrefix: '/a' } },
      { Action: 'allow', HTTP: { PathPrefix: '/' } },
    ];
    const turned = permissions.toReversed();
    expect(
      isSameContent(
        raw([{ Name: 'w', Permissions: permissions }]),
        raw([{ Name: 'w', Permissions: turned }]),
      ),
    ).toBe(false);
  });
});

describe('a name', () => {
  it.each(['web', 'a b', 'a/b', '...', 'ünï', '*'])('%j can be asked for', (name) => {
    expect(isAddressable(name)).toBe(true);
  });

  it.each(['', '.', '..', 'a\tb', 'a\u00a0b', '\u0085', '\ufeff', '\udc00'])(
    '%j cannot be asked for',
    (name) => {
      expect(isAddressable(name)).toBe(false);
    },
  );
});
