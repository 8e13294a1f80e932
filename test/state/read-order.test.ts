import { describe, expect, test } from 'vitest';
import { AclCache } from '../../src/acl/state/acl-cache.js';
import type { AclRole, AclSnapshot } from '../../src/model/acl.js';
import { NO_USER_TOKEN_FACTS } from '../../src/plan/destination-input.js';
import { ReadOrder } from '../../src/state/read-order.js';
import { UserTokens } from '../../src/state/user-tokens.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entry,
  keyOf,
  mapping,
  NOW,
  named,
  ourSource,
  SETTINGS,
} from '../plan/scene.js';

const WEB = { provider: 'main', clientId: 'web' };
const newWorld = () => new WorldState(mapping(), SETTINGS);

describe('an older read never overrides a newer one', () => {
  test('about a client: a complete read does not bring back one that is gone, nor remove one that came', () => {
    const world = newWorld();
    const [complete, single] = [world.beginRead(), world.beginRead()];
    world.putClient(WEB, undefined, single);
    world.putClient({ provider: 'main', clientId: 'new' }, client('new', []), single);
    world.putDirectory('main', [client('web', ['orders'])], complete, NOW);
    expect([...world.clients('main').keys()]).toEqual(['new']);
  });

  test('about a client: a single read does not bring back one that a complete read no longer shows', () => {
    const world = newWorld();
    world.putDirectory('main', [client('web', [])], world.beginRead(), NOW);
    const slow = world.beginRead();
    world.putDirectory('main', [], world.beginRead(), NOW);
    world.putClient(WEB, client('web', ['orders']), slow);
    expect(world.client(WEB)).toBeUndefined();
  });

  test('about a client: of two single reads the one that began later counts', () => {
    const world = newWorld();
    const [slow, quick] = [world.beginRead(), world.beginRead()];
    world.putClient(WEB, client('web', ['new']), quick);
    world.putClient(WEB, client('web', ['old']), slow);
    expect(world.client(WEB)?.grants).toEqual([{ name: 'new' }]);
  });

  test('about a client: a single read that cannot be parsed does not spoil what a newer one shows', () => {
    const world = newWorld();
    world.putDirectory('main', [], world.beginRead(), NOW);
    const [slow, quick] = [world.beginRead(), world.beginRead()];
    world.putClient(WEB, client('web', ['orders']), quick);
    world.putUnreadable(WEB, 'no grants', slow);
    expect(world.isUnreadable(WEB)).toBe(false);
  });

  test('about a client: a complete read does not spoil what a newer single read shows', () => {
    const world = newWorld();
    const [complete, single] = [world.beginRead(), world.beginRead()];
    world.putClient(WEB, client('web', ['new']), single);
    world.putDirectory('main', [client('web', ['old'])], complete, NOW, [
      { clientId: 'web', why: 'no grants' },
    ]);
    expect(world.client(WEB)?.grants).toEqual([{ name: 'new' }]);
    expect(world.isUnreadable(WEB)).toBe(false);
  });

  test('about a complete directory', () => {
    const world = newWorld();
    const [slow, quick] = [world.beginRead(), world.beginRead()];
    world.putDirectory('main', [client('web', [])], quick, NOW);
    world.putDirectory('main', [client('web', []), client('old', [])], slow, NOW);
    expect([...world.clients('main').keys()]).toEqual(['web']);
  });

  test('about the catalog', () => {
    const world = newWorld();
    const [slow, quick] = [world.beginRead(), world.beginRead()];
    const catalog = { services: [], protocols: new Map(), defaultProtocol: 'http' as const };
    world.putCatalog(catalog, NOW, quick);
    world.putCatalog({ ...catalog, services: [claiming('web', 'web')] }, NOW, slow);
    expect(world.catalog).toBe(catalog);
  });

  test('about claim records', () => {
    const world = newWorld();
    const [slow, quick] = [world.beginRead(), world.beginRead()];
    world.putClaimRecords([], quick);
    world.putClaimRecords([{ ...WEB, service: named('web'), modifyIndex: 1 }], slow);
    expect(world.claimRecords).toEqual([]);
  });

  test('about an entry that is made while a list is read', () => {
    const world = newWorld();
    const [list, single] = [world.beginRead(), world.beginRead()];
    world.putEntry(named('orders'), entry('orders', ourSource('web', DENY)), single);
    world.putEntries([], NOW, list);
    expect(world.entries.has(keyOf('orders'))).toBe(true);
  });

  test('about an entry, read alone or in a list', () => {
    const world = newWorld();
    const at = (modifyIndex: number, access: typeof ALLOW | typeof DENY) => ({
      ...entry('orders', ourSource('web', access)),
      modifyIndex,
    });
    const [slow, list, single] = [world.beginRead(), world.beginRead(), world.beginRead()];
    world.putEntry(named('orders'), at(9, DENY), single);
    world.putEntries([at(8, ALLOW), { ...at(8, ALLOW), destination: named('stock') }], NOW, list);
    expect(world.entries.get(keyOf('orders'))?.modifyIndex).toBe(9);
    world.putEntry(named('stock'), undefined, slow);
    expect(world.entries.get(keyOf('stock'))?.modifyIndex).toBe(8);
    world.putEntries([], NOW, slow);
    expect(world.entries.size).toBe(2);
  });

  test('about ACL objects and policies', () => {
    const cache = new AclCache();
    const role = (description: string): AclRole => ({
      name: 'r',
      description,
      policies: [],
      serviceIdentities: [],
    });
    const stored = { id: '1', modifyIndex: 1, isAltered: false };
    const snapshot = (description: string): AclSnapshot => ({
      roles: [{ ...stored, object: role(description) }],
      policies: [{ ...stored, object: { name: 'p', description, rules: '' } }],
      authMethods: [],
      bindingRules: [],
    });
    const seen = () => [cache.of('r').role?.object.description, cache.policies.get('p')?.object.description];
    cache.replaceAll(snapshot('newest'), 1);
    cache.replaceAll(snapshot('older'), 0);
    expect(seen()).toEqual(['newest', 'newest']);
    cache.put(['r'], ['p'], snapshot('new'), 2);
    cache.replaceAll(snapshot('old'), 1);
    expect(seen()).toEqual(['new', 'new']);
    cache.replaceAll({ roles: [], policies: [], authMethods: [], bindingRules: [] }, 4);
    cache.put(['r'], ['p'], snapshot('old'), 3);
    expect(seen()).toEqual([undefined, undefined]);
  });

  test('about a jwt-provider', () => {
    const tokens = new UserTokens();
    const ours = { name: 'users', issuer: 'i', audiences: [], jwksUri: 'u', meta: {} };
    const existing = { name: 'users', meta: {}, content: ours, modifyIndex: 1 };
    tokens.putEntry('users', ours, 3, 3);
    tokens.putEntries([], 2);
    expect(tokens.facts.entries?.get('users')?.modifyIndex).toBe(3);
    tokens.putEntries([], 5);
    tokens.putEntries([existing], 4);
    tokens.putEntry('users', ours, 9, 4);
    expect(tokens.facts).toEqual({ ...NO_USER_TOKEN_FACTS, entries: new Map() });
  });
});

test('numbers of single reads are kept until a newer complete read', () => {
  const said = new ReadOrder();
  for (let at = 1; at <= 1_000; at++) said.accepts(`client ${at}`, at);
  expect(said.size).toBe(1_000);
  expect(said.acceptsAll(900)).toBe(true);
  expect(said.size).toBe(100);
  expect(said.isNewer('client 950', 900)).toBe(true);
  expect(said.isNewer('client 900', 900)).toBe(false);
});
