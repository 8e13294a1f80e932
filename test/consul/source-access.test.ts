import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAccess, toRawSource } from '../../src/consul/source-access.js';
import type { Access, HeaderMatch, HttpPermission } from '../../src/model/intention.js';

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
