import { describe, expect, it } from 'vitest';
import { toLinearPattern, toWholePattern } from '../../src/model/re2.js';

describe('an expression of RE2', () => {
  it.each([
    ['(?i)/orders', '/ORDERS', true],
    ['/\\d+\\z', '/12', true],
    ['/a\\-b', '/a-b', true],
    ['/a\\\\A', '/a\\A', true],
    ['/(orders|items)', '/items/x', false],
    ['^/a$', '/a', true],
  ])('%s is judged on %s as Envoy does', (regex, text, matches) => {
    expect(toWholePattern(regex)?.test(text)).toBe(matches);
  });

  it.each(['/[[:digit:]]+', '(?m)/a$', '/(?=x)', '/a(?i)b', '/\\Qa\\E'])('%s is not judged', (regex) => {
    expect(toWholePattern(regex)).toBeUndefined();
  });
});

describe('an expression of others', () => {
  it.each([
    ['/v[0-9]+/status', '/v12/status', '/v/status'],
    ['/a.*', '/a/b', '/b'],
    ['/users/[^/]+/orders/\\d{4}/?', '/users/x/orders/2026/', '/users/x/y/orders/2026'],
    ['/v1/orders(/[A-Za-z0-9_-]+)*', '/v1/orders/a/b_c', '/v1/orders/a//b'],
    ['(?i)/v[0-9]+\\.json', '/V1.JSON', '/v1xjson'],
  ])('%s is judged in linear time', (regex, good, bad) => {
    const pattern = toLinearPattern(regex);
    expect([pattern?.test(good), pattern?.test(bad)]).toEqual([true, false]);
    expect(pattern?.test(`${good}${'1'.repeat(4_000)}\n`)).toBe(false);
  });

  it.each([
    '/(a+)+b',
    '/(a|a)*b',
    '/a*a*a*a*b',
    '/(/a|/a)(/a|/a)',
    '/(/[^x]+)*y',
    '/[ab]+a?b',
    '/(/a?)*b',
    '(?i)/a+A',
    '/(a[(]b)*',
    '/.*/x',
    '/(/.*)*',
  ])('%s is not judged, because JavaScript could take too long', (regex) => {
    expect(toLinearPattern(regex)).toBeUndefined();
  });
});
