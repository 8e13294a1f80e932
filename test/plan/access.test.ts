import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAccess, toRawSource } from '../../src/consul/source-access.js';
import type { Access, HeaderMatch, JwtRequirement } from '../../src/model/intention.js';
import { toPlainPathRegex } from '../../src/model/plain-path.js';
import {
  admits,
  canonical,
  covers,
  digest,
  intersection,
  narrows,
  sameAccess,
  union,
  widens,
  without,
} from '../../src/plan/access.js';
import { runsOf } from '../support/soak.js';
import { ALLOW, DENY, named } from './scene.js';
import { anyAccess, anyRequest } from './worlds.js';

const get = (pathPrefix: string): Access => ({
  kind: 'http',
  permissions: [{ methods: ['GET'], pathPrefix }],
});
const any = (permission: object): Access => ({ kind: 'http', permissions: [permission] });
const token = (provider: string, ...values: readonly string[]): JwtRequirement => ({
  provider,
  verifyClaims: values.map((value) => ({ path: ['claim'], value })),
});

describe('one access covers another', () => {
  test.each<[string, Access | undefined, Access | undefined, boolean]>([
    ['allow covers everything', ALLOW, get('/'), true],
    ['nothing covers only nothing', undefined, DENY, true],
    ['deny covers no permission', DENY, get('/'), false],
    ['permissions never cover allow', any({}), ALLOW, false],
    ['a prefix covers a longer prefix', get('/a'), get('/a/b'), true],
    ['a longer prefix does not cover a shorter one', get('/a/b'), get('/a'), false],
    ['a prefix covers an exact path under it', any({ pathPrefix: '/a' }), any({ pathExact: '/a/x' }), true],
    ['an exact path covers no prefix', any({ pathExact: '/a' }), any({ pathPrefix: '/a' }), false],
    ['one method does not cover every method', get('/'), any({ pathPrefix: '/' }), false],
    ['an empty list of methods means every method', get('/'), any({ methods: [], pathPrefix: '/' }), false],
    [
      'a header condition does not cover its absence',
      any({ headers: [{ name: 'x', exact: '1' }] }),
      any({}),
      false,
    ],
    ['no condition covers a header condition', any({}), any({ headers: [{ name: 'x', exact: '1' }] }), true],
    ['equal expressions cover each other', any({ pathRegex: '/a.*' }), any({ pathRegex: '/a.*' }), true],
    [
      'a prefix is not known to cover an expression',
      any({ pathPrefix: '/' }),
      any({ pathRegex: '/a' }),
      false,
    ],
    ['no requirement covers a token', any({}), any({ jwt: token('idp') }), true],
    ['a token does not cover its absence', any({ jwt: token('idp') }), any({}), false],
    [
      "a token does not cover another provider's",
      any({ jwt: token('idp') }),
      any({ jwt: token('x') }),
      false,
    ],
    ['fewer claims cover more', any({ jwt: token('idp', 'a') }), any({ jwt: token('idp', 'b', 'a') }), true],
    [
      'more claims do not cover fewer',
      any({ jwt: token('idp', 'a', 'b') }),
      any({ jwt: token('idp', 'a') }),
      false,
    ],
    [
      'methods may be covered by different permissions',
      { kind: 'http', permissions: [{ methods: ['GET'] }, { methods: ['PUT'], pathPrefix: '/' }] },
      any({ methods: ['GET', 'PUT'], pathPrefix: '/x' }),
      true,
    ],
  ])('%s', (_, outer, inner, expected) => {
    expect(covers(outer, inner)).toBe(expected);
  });

  test('only if it lets through every request that the other one does', () => {
    fc.assert(
      fc.property(
        anyAccess,
        anyAccess,
        fc.array(anyRequest, { minLength: 8, maxLength: 30 }),
        (a, b, requests) => {
          if (!covers(a, b)) return;
          for (const request of requests) if (admits(b, request)) expect(admits(a, request)).toBe(true);
        },
      ),
      runsOf(2_000, 400),
    );
  });

  test('narrowing and widening are its two negations', () => {
    expect([narrows(ALLOW, get('/')), widens(ALLOW, get('/'))]).toEqual([true, false]);
    expect([narrows(undefined, get('/')), widens(undefined, get('/'))]).toEqual([false, true]);
    expect([narrows(DENY, undefined), widens(DENY, undefined)]).toEqual([false, false]);
  });
});

test('a union lets through exactly what either does', () => {
  fc.assert(
    fc.property(
      anyAccess,
      anyAccess,
      fc.array(anyRequest, { minLength: 8, maxLength: 30 }),
      (a, b, requests) => {
        const both = union(a, b);
        for (const request of requests)
          expect(admits(both, request)).toBe(admits(a, request) || admits(b, request));
        expect(covers(both, a) && covers(both, b)).toBe(true);
      },
    ),
    runsOf(2_000, 400),
  );
});

test('an intersection never lets through more than either', () => {
  fc.assert(
    fc.property(
      anyAccess,
      anyAccess,
      fc.array(anyRequest, { minLength: 8, maxLength: 30 }),
      (a, b, requests) => {
        const both = intersection(a, b);
        for (const request of requests) {
          if (!admits(both, request)) continue;
          expect(admits(a, request) && admits(b, request)).toBe(true);
        }
      },
    ),
    runsOf(2_000, 400),
  );
});

describe('an intersection is', () => {
  const methods = (...names: readonly string[]): Access => any({ methods: names });
  test.each<[string, Access | undefined, Access | undefined, Access | undefined]>([
    ['the narrower one where one covers the other', ALLOW, get('/a'), get('/a')],
    ['nothing where one is nothing', ALLOW, undefined, undefined],
    ['nothing where they have no method in common', methods('GET'), methods('PUT'), undefined],
    ['what both have of their methods', methods('GET', 'PUT'), methods('PUT', 'POST'), methods('PUT')],
    [
      'the narrower path of each method',
      { kind: 'http', permissions: [{ methods: ['GET'] }, { methods: ['PUT'], pathPrefix: '/a' }] },
      { kind: 'http', permissions: [{ methods: ['GET'], pathPrefix: '/a' }, { methods: ['PUT'] }] },
      any({ methods: ['GET', 'PUT'], pathPrefix: '/a' }),
    ],
  ])('%s', (_, a, b, expected) => {
    expect(intersection(a, b)).toEqual(expected);
    expect(intersection(b, a)).toEqual(expected);
  });
});

describe('an access without another', () => {
  test('lets through everything that only it lets through, and nothing that it does not', () => {
    fc.assert(
      fc.property(
        anyAccess,
        anyAccess,
        fc.array(anyRequest, { minLength: 8, maxLength: 30 }),
        (a, b, requests) => {
          const rest = without(a, b);
          for (const request of requests) {
            if (admits(rest, request)) expect(admits(a, request)).toBe(true);
            if (admits(a, request) && !admits(b, request)) expect(admits(rest, request)).toBe(true);
          }
        },
      ),
      runsOf(2_000, 400),
    );
  });

  const plain = (text: string, kind: 'path' | 'prefix' = 'path') =>
    any({ pathRegex: toPlainPathRegex({ kind, text }) });
  test.each<[string, Access | undefined, Access | undefined, Access | undefined]>([
    ['is nothing where the other one covers it', get('/a/b'), get('/a'), undefined],
    ['is all of it where the other one is nothing', get('/a'), undefined, get('/a')],
    ['is all of it where the other one only denies', get('/a'), DENY, get('/a')],
    ['stays whole where the other one covers a part of everything', ALLOW, get('/a'), ALLOW],
    [
      'loses the methods that the other one has',
      any({ methods: ['GET', 'PUT'] }),
      any({ methods: ['PUT'] }),
      any({ methods: ['GET'] }),
    ],
    [
      'loses the path itself where the other one has that',
      plain('/a'),
      any({ pathExact: '/a' }),
      plain('/a/', 'prefix'),
    ],
    [
      'keeps the path as it is written where the other one has none of it',
      plain('/a'),
      plain('/b'),
      plain('/a'),
    ],
  ])('%s', (_, a, b, expected) => {
    expect(without(a, b)).toEqual(expected);
  });
});

describe('the canonical form', () => {
  test('allows the same, is its own canonical form and has no order', () => {
    fc.assert(
      fc.property(
        anyAccess,
        fc.array(anyRequest, { maxLength: 20 }),
        fc.infiniteStream(fc.nat()),
        (access, requests, random) => {
          fc.pre(access !== undefined);
          const form = canonical(access);
          expect(canonical(form)).toEqual(form);
          for (const request of requests) expect(admits(form, request)).toBe(admits(access, request));
          if (access.kind !== 'http') return;
          const shuffled = access.permissions
            .map((permission) => ({ permission, at: random.next().value }))
            .toSorted((x, y) => x.at - y.at)
            .map(({ permission }) => permission);
          expect(digest({ kind: 'http', permissions: shuffled })).toBe(digest(access));
        },
      ),
      runsOf(1_000, 200),
    );
  });

  test('comes back from Consul as it was written', () => {
    fc.assert(
      fc.property(anyAccess, (access) => {
        fc.pre(access !== undefined && (access.kind !== 'http' || access.permissions.length > 0));
        const form = canonical(access);
        const raw = JSON.parse(
          JSON.stringify(toRawSource({ ...named('web'), description: '', access: form })),
        );
        const read = parseAccess(raw);
        expect(read.kind).not.toBe('other');
        if (read.kind !== 'other') expect(sameAccess(read, access)).toBe(true);
      }),
      runsOf(1_000, 200),
    );
  });

  test('does not depend on how a header condition is written down', () => {
    const written: HeaderMatch = { invert: false, exact: '1', name: 'x' };
    const read: HeaderMatch = { name: 'x', exact: '1' };
    expect(sameAccess(any({ headers: [written] }), any({ headers: [read] }))).toBe(true);
    expect(sameAccess(any({ headers: [read, read] }), any({ headers: [read] }))).toBe(true);
  });
});

describe('a request is judged as Envoy does', () => {
  test.each<[string, Access, { method?: string; path?: string; headers?: Record<string, string> }, boolean]>([
    ['the query is no part of the path', any({ pathExact: '/a' }), { path: '/a?b=c' }, true],
    ['a deny lets nothing through', DENY, {}, false],
    ['an expression matches the whole path', any({ pathRegex: '/a' }), { path: '/ab' }, false],
    ['a method of another case is another method', any({ methods: ['GET'] }), { method: 'get' }, false],
    [
      'a missing header matches no inverted value',
      any({ headers: [{ name: 'x', exact: '1', invert: true }] }),
      {},
      false,
    ],
    [
      'a missing header matches inverted presence',
      any({ headers: [{ name: 'x', present: true, invert: true }] }),
      {},
      true,
    ],
    [
      'a header is not found on the prototype',
      any({ headers: [{ name: 'constructor', present: true }] }),
      {},
      false,
    ],
    ['no permission lets nothing through', { kind: 'http', permissions: [] }, {}, false],
  ])('%s', (_, access, request, expected) => {
    expect(admits(access, { method: 'GET', path: '/', ...request })).toBe(expected);
  });

  test('groups and alternations are judged, and hostile expressions take linear time', () => {
    const judge = (pathRegex: string, path: string) =>
      admits({ kind: 'http', permissions: [{ pathRegex }] }, { method: 'GET', path });
    expect(judge('/v1/(orders|items)(/[0-9]+)?', '/v1/items/12')).toBe(true);
    expect(judge('/v1/(orders|items)(/[0-9]+)?', '/v1/others')).toBe(false);
    expect(judge('/(a+)+b', `/${'a'.repeat(4_000)}`)).toBe(false);
  });

  test('an expression that cannot be judged decides nothing that is clear without it', () => {
    const path = `/${'a'.repeat(60)}`;
    const refused = { pathRegex: '/(a)\\1' };
    const header = { headers: [{ name: 'x', regex: '(a)\\1', invert: true }] };
    const judge = (...permissions: readonly object[]) =>
      admits({ kind: 'http', permissions }, { method: 'GET', path, headers: { x: path.slice(1) } });
    expect([judge(refused), judge(header)]).toEqual([undefined, undefined]);
    expect(judge(refused, { pathPrefix: '/a' })).toBe(true);
    expect(judge({ ...refused, methods: ['PUT'] }, { pathExact: '/' })).toBe(false);
    expect(judge({ ...refused, headers: [{ name: 'y', exact: '1' }] })).toBe(false);
  });

  test('only the first hundred expressions of an access are judged', () => {
    const permissions = Array.from({ length: 101 }, (_, at) => ({ pathRegex: `/(${at}|x)` }));
    const judge = (path: string) => admits({ kind: 'http', permissions }, { method: 'GET', path });
    expect([judge('/99'), judge('/100')]).toEqual([true, undefined]);
  });

  test('an expression that scopemesh itself writes is judged after any number of others', () => {
    const permissions = Array.from({ length: 102 }, (_, at) => ({
      pathRegex: toPlainPathRegex({ kind: 'path', text: `/${at}` }) ?? '',
    }));
    expect(admits({ kind: 'http', permissions }, { method: 'GET', path: '/101' })).toBe(true);
  });
});
