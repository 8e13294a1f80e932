import { describe, expect, test } from 'vitest';
import { AclCache } from '../../../src/acl/state/acl-cache.js';
import { AclOwners, clientOf, clientsWithAcl, ownersOf } from '../../../src/acl/state/acl-owners.js';
import type { AclRole, AclSnapshot } from '../../../src/model/acl.js';
import { createSelection } from '../../../src/plan/selection.js';
import { clientText } from '../../../src/plan/world.js';
import { WorldState } from '../../../src/state/world-state.js';
import { client, mapping, NOW, SETTINGS } from '../../plan/scene.js';

const roleOf = (clientId: string, description = `scopemesh:pay client=main/${clientId}`): AclRole => ({
  name: `scopemesh-pay-main-${clientId}`,
  description,
  policies: [],
  serviceIdentities: [],
});
const snapshotOf = (...roles: readonly AclRole[]): AclSnapshot => ({
  roles: roles.map((object) => ({ id: object.name, modifyIndex: 1, isAltered: false, object })),
  policies: [],
  authMethods: [],
  bindingRules: [],
});

describe('the clients that have ACL objects', () => {
  test('are kept up with what changes, and only that is looked at', () => {
    const cache = new AclCache();
    const owners = new AclOwners(cache);
    const look = () => {
      const changed: string[] = [];
      const all = owners.all({ owner: 'pay' }, ({ clientId }) => changed.push(clientId));
      return { changed, all: [...all.values()].map(({ clientId }) => clientId) };
    };
    cache.replaceAll(snapshotOf(roleOf('web'), roleOf('api'), roleOf('job', 'by hand')), 1);
    expect(look()).toEqual({ changed: ['web', 'api'], all: ['web', 'api'] });
    expect(look().changed).toEqual([]);
    cache.replaceAll(snapshotOf(roleOf('api'), roleOf('job')), 2);
    expect(look()).toEqual({ changed: ['job', 'web'], all: ['api', 'job'] });
    expect(owners.all({ owner: 'other' }, () => {}).size).toBe(0);
  });

  test('are those of the selection, by objects whose name proves what their Description says', () => {
    const cache = new AclCache();
    const forged = roleOf('web', 'scopemesh:pay client=main/api');
    cache.replaceAll(snapshotOf(forged, roleOf('api'), roleOf('job'), roleOf('bot', 'scopemesh:pay')), 1);
    const select = createSelection({ clients: ['api', 'web', 'bot'] });
    const of = (changes: object) =>
      [...new AclOwners(cache).all({ owner: 'pay', ...changes }, () => {}).values()].map(
        (each) => each.clientId,
      );
    expect([of({}), of({ select })]).toEqual([['api', 'job'], ['api']]);
  });

  test('are found by a rule that is left alone', () => {
    const { name, description } = roleOf('web');
    const rule = { description, authMethod: name, bindType: 'role', bindName: 'x', selector: '' } as const;
    const stored = { id: '1', modifyIndex: 1, isAltered: false };
    expect(clientOf({ bindingRules: [{ ...stored, object: rule }] }, 'pay')).toEqual({
      provider: 'main',
      clientId: 'web',
    });
    expect(
      clientOf({ bindingRules: [{ ...stored, object: { ...rule, authMethod: 'x' } }] }, 'pay'),
    ).toBeUndefined();
  });

  test('and those that are known are listed together, each once and in order, of one provider or of all', () => {
    const of = (changes: object) => {
      const world = new WorldState(mapping({ providers: ['main', 'extra'], ...changes }), SETTINGS);
      world.putDirectory('main', [client('web', []), client('api', [])], world.beginRead(), NOW);
      world.putDirectory('extra', [client('aaa', [], { provider: 'extra' })], world.beginRead(), NOW);
      const cache = new AclCache();
      cache.replaceAll(snapshotOf(roleOf('web'), roleOf('gone'), roleOf('bot', 'mine')), 1);
      return (provider?: string) =>
        clientsWithAcl({ world, acl: { cache } }, provider).map(
          (each) => `${each.provider}/${each.clientId}`,
        );
    };
    const all = ['extra/aaa', 'main/api', 'main/gone', 'main/web'];
    expect(of({})()).toEqual(all);
    expect(of({})('main')).toEqual(all.slice(1));
    expect(of({})('other')).toEqual([]);
    // Clients of a provider that is not configured count by their objects.
    expect(of({ providers: ['extra'] })()).toEqual(['extra/aaa', 'main/gone', 'main/web']);
    expect(of({ select: createSelection({ clients: ['web'] }) })('main')).not.toContain('main/gone');
  });

  test('and those that an order closed are listed, whose objects no Description names', () => {
    const of = (changes: object) => {
      const world = new WorldState(mapping(changes), SETTINGS);
      for (const clientId of ['bot', 'none', 'other'])
        world.setClientBlock({ provider: 'main', clientId }, 'ClientQuarantined');
      const cache = new AclCache();
      cache.replaceAll(snapshotOf(roleOf('bot', 'scopemesh:pay'), roleOf('other', 'scopemesh:pay')), 1);
      return clientsWithAcl({ world, acl: { cache } }).map(({ clientId }) => clientId);
    };
    expect(of({})).toEqual(['bot', 'other']);
    expect(of({ select: createSelection({ clients: ['b*', 'n*'] }) })).toEqual(['bot']);
  });

  test('are planned again once their objects change', () => {
    const world = new WorldState(mapping(), SETTINGS);
    const cache = new AclCache();
    const deps = { world, acl: { owners: new AclOwners(cache) } };
    const counted: string[] = [];
    const count = () =>
      world.inferredAcl.update(
        () => [],
        (key) => {
          counted.push(key);
          return [];
        },
      );
    count();
    cache.replaceAll(snapshotOf(roleOf('web')), 1);
    expect([...ownersOf(deps).values()]).toEqual([{ provider: 'main', clientId: 'web' }]);
    count();
    expect(counted).toEqual([clientText({ provider: 'main', clientId: 'web' })]);
  });

  test('are found by the name of their objects while they are known', () => {
    const world = new WorldState(mapping(), SETTINGS);
    const find = (clientId: string) => world.clientNamed(`SCOPEMESH-pay-main-${clientId}`)?.clientId;
    world.putDirectory('main', [client('web', [])], world.beginRead(), NOW);
    expect([find('web'), find('api')]).toEqual(['web', undefined]);
    world.putClient({ provider: 'main', clientId: 'api' }, client('api', []), world.beginRead());
    world.putClient({ provider: 'main', clientId: 'web' }, undefined, world.beginRead());
    expect([find('web'), find('api')]).toEqual([undefined, 'api']);
  });
});

test('an internal id leads to the client that has it now', () => {
  const world = new WorldState(mapping(), SETTINGS);
  const known = (clientId: string) => ({ ...client(clientId, []), internalId: 'uuid' });
  world.putDirectory('main', [known('old')], world.beginRead(), NOW);
  expect(world.directories.clientIdOf('main', 'uuid')).toBe('old');
  world.putDirectory('main', [known('new')], world.beginRead(), NOW);
  expect(world.directories.clientIdOf('main', 'uuid')).toBe('new');
  world.putClient({ provider: 'main', clientId: 'new' }, undefined, world.beginRead());
  expect(world.directories.clientIdOf('main', 'uuid')).toBeUndefined();
});
