import { describe, expect, it } from 'vitest';
import {
  destinationsIn,
  isStandardScope,
  namedLevel,
  namesMethod,
  namesSomeMethods,
  topicsOf,
} from '../../src/proposal/scope-words.js';

const SERVICES = new Set(['orders', 'orders-api', 'api', 'billing', 'a-b-c']);
const found = (text: string) => destinationsIn(text, (name) => SERVICES.has(name));

describe('the destinations that a text names', () => {
  it.each<readonly [string, readonly string[]]>([
    ['orders:read', ['orders']],
    ['https://x/orders.read', ['orders']],
    ['read-orders', ['orders']],
    ['orders-read-billing', ['orders', 'billing']],
    ['billing orders billing', ['billing', 'orders']],
    ['orders-api:read', ['orders-api']],
    ['orders-api-api', ['orders-api', 'api']],
    ['my-a-b-c-d', ['a-b-c']],
    ['a-c', []],
    ['reorders:read', []],
    ['', []],
    ['--', []],
  ])('of %j are %j', (text, names) => {
    expect(found(text)).toEqual(names);
  });

  it('are not searched for in a name of more than twelve parts, which would take long', () => {
    const parts = (many: number) => ['orders', ...Array.from({ length: many - 1 }, () => 'x')].join('-');
    expect(found(parts(12))).toEqual(['orders']);
    expect(found(parts(13))).toEqual([]);
  });

  it('are never the empty name', () => {
    expect(destinationsIn('-orders-', () => true)).not.toContain('');
    expect(destinationsIn(':orders:', () => true)).toEqual(['orders']);
  });
});

describe('the level that a scope says', () => {
  it.each([
    ['orders:read', 'read'],
    ['Orders.Viewer', 'read'],
    ['orders:write', 'write'],
    ['delete_orders', 'write'],
    ['orders:readwrite', undefined],
    ['orders:read-write', undefined],
    ['orders', undefined],
    ['readers', undefined],
    ['spread', undefined],
  ] as const)('of %s is %s', (name, level) => {
    expect(namedLevel(name)).toBe(level);
    expect(namesSomeMethods({ name })).toBe(level !== undefined);
    expect(['GET', 'HEAD', 'OPTIONS'].map((method) => namesMethod({ name }, method))).toEqual(
      Array.from({ length: 3 }, () => level === 'read'),
    );
    expect(['POST', 'DELETE'].map((method) => namesMethod({ name }, method))).toEqual(
      Array.from({ length: 2 }, () => level === 'write'),
    );
  });
});

describe('the topics of a scope', () => {
  it.each<readonly [string, readonly string[]]>([
    ['config:read', ['config']],
    ['kv.config/team-a:write', ['config', 'team', 'a']],
    ['consul:acl:access', []],
    ['read', []],
    ['::Config::', ['config']],
    ['reading', ['reading']],
  ])('of %s are %j', (name, topics) => {
    expect(topicsOf(name)).toEqual(topics);
  });
});

it('a scope that a standard defines says what a token contains, and not what it opens', () => {
  for (const name of ['openid', 'profile', 'offline_access']) expect(isStandardScope({ name })).toBe(true);
  expect(isStandardScope({ name: 'orders:read' })).toBe(false);
});
