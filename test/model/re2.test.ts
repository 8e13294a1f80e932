import { describe, expect, it } from 'vitest';
import { toExpression } from '../../src/model/re2.js';
import { REFUSED } from './re2-cases.js';

describe('an expression of RE2', () => {
  it.each([
    ['(?i)/orders', '/ORDERS', true],
    ['/\\d+\\z', '/12', true],
    ['/[[:digit:]]+', '/12', true],
    ['/(orders|items)/[0-9]+', '/items/1', true],
    ['/(orders|items)', '/items/x', false],
    ['/a\\-b', '/a-b', true],
    ['^/a$', '/a', true],
    ['/a(?i)b', '/aB', true],
    ['(?i)/[a-z0-9]', '/B', true],
    ['/[a-\u{1e942}]', '/b', true],
    ['(?i)/[äöü]', '/Ä', true],
  ])('%s is judged on %s as Envoy does', (regex, text, matches) => {
    expect(toExpression(regex)?.matches(text)).toBe(matches);
  });

  it('is found in a part of a text too, as Consul looks for it', () => {
    expect(toExpression('(^| )x( |$)')?.isIn('a x b')).toBe(true);
    expect(toExpression('(^| )x( |$)')?.isIn('axb')).toBe(false);
  });

  it.each(REFUSED)('%s is not judged, because RE2 refuses it', (regex) => {
    expect(toExpression(regex)).toBeUndefined();
  });
});

describe('an expression of others', () => {
  it.each(['/(a+)+b', '/(a|a)*b', '/a*a*a*a*b', '/(/?a?)*b'])('%s takes linear time', (regex) => {
    expect(toExpression(regex)?.matches(`/${'a'.repeat(10_000)}`)).toBe(false);
  });

  it.each([
    'a'.repeat(1_001),
    '[^b]{1000}'.repeat(50),
    '(([^b]{0,50}){0,50})',
    `(${'[[:alpha:])]'.repeat(30)}){1000}`,
    `\\Q[\\E(${'a'.repeat(100)}){100}]`,
    '(?i)[B-\u{1e942}]',
    '/a(?si-m:[^\\]B-\\x{1e942}])',
  ])('%s is not judged, because it is too large', (regex) => {
    expect(toExpression(regex)).toBeUndefined();
  });

  it('is not judged on a text that is too long for it', () => {
    const expression = toExpression('a{1000}b');
    expect(expression?.matches('a'.repeat(400))).toBe(false);
    expect(expression?.matches('a'.repeat(1_000))).toBeUndefined();
    expect(expression?.isIn('a'.repeat(1_000))).toBeUndefined();
  });
});
