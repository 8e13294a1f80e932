import { describe, expect, it, vi } from 'vitest';
import { AclCache } from '../../../src/acl/state/acl-cache.js';
import { AclOwners } from '../../../src/acl/state/acl-owners.js';
import {
  isStillOrphaned,
  orphanedObjects,
  planOrphaned,
  whyUndecided,
} from '../../../src/acl/state/orphaned-acl.js';
import type { AclRole, Stored } from '../../../src/model/acl.js';
import type { Mapping } from '../../../src/model/rule.js';
import { clientName, describe as describeObject } from '../../../src/plan/object-names.js';
import { createSelection } from '../../../src/plan/selection.js';
import { WorldState } from '../../../src/state/world-state.js';
import { client, mapping, NOW, SETTINGS } from '../../plan/scene.js';

vi.mock('../../../src/plan/object-names.js', async (original) => {
  const names = await original<typeof import('../../../src/plan/object-names.js')>();
  return { ...names, clientName: vi.fn(names.clientName) };
});

const nameOf = (clientId: string) => clientName('pay', { provider: 'main', clientId });
/** The role of a client; without `named` its ID does not fit into the Description. */
const roleOf = (clientId: string, description = 'scopemesh:pay'): Stored<AclRole> => ({
  id: nameOf(clientId),
  isAltered: false,
  modifyIndex: 1,
  object: { name: nameOf(clientId), description, policies: [], serviceIdentities: [] },
});

function known(changes: Partial<Mapping> = {}) {
  const world = new WorldState(mapping(changes), SETTINGS);
  world.putDirectory('main', [client('robot', []), client('Big ID', [])], world.beginRead(), NOW);
  const cache = new AclCache();
  return { world, acl: { cache, owners: new AclOwners(cache) } };
}

let reads = 1;
function found(roles: readonly Stored<AclRole>[], of = known()): readonly string[] | undefined {
  of.acl.cache.replaceAll({ roles, policies: [], authMethods: [], bindingRules: [] }, ++reads);
  const all = orphanedObjects(of);
  return all && [...all.names.values()];
}

describe('an object whose client is unknown', () => {
  const lost = roleOf('Lost ID');
  const { name } = lost.object;

  it('is orphaned if no known client has its name', () => {
    expect(found([lost, roleOf('Big ID')])).toEqual([name]);
  });

  it('is one loss with the subject that a job of its client would use', () => {
    const of = known();
    found([lost], of);
    expect([...(orphanedObjects(of)?.names.keys() ?? [])]).toEqual([`acl-role/${name}`]);
  });

  it('is the same loss if somebody wrote its name in other letters, which Consul ignores', () => {
    const of = known();
    found([{ ...lost, object: { ...lost.object, name: name.replace('main', 'Main') } }], of);
    expect([...(orphanedObjects(of)?.names ?? [])]).toEqual([[`acl-role/${name}`, name]]);
  });

  it('is not if an order closed its client, whose job removes it', () => {
    const of = known();
    of.world.setClientBlock({ provider: 'main', clientId: 'Lost ID' }, 'ClientQuarantined');
    expect(found([lost], of)).toEqual([]);
    expect(isStillOrphaned(name, of)).toBe(false);
  });

  it('is not if its name is plain, its mark is missing or another’s, or its Description names the client', () => {
    expect(found([roleOf('plain')])).toEqual([]);
    expect(found([roleOf('Lost', '')])).toEqual([]);
    expect(found([roleOf('Lost', 'scopemesh:x')])).toEqual([]);
    const described = describeObject('pay', { client: ['main', 'Lost ID'] });
    expect(found([roleOf('Lost ID', described)])).toEqual([]);
  });

  it('is undecided while its provider may have clients that are not known, and only then', () => {
    const subject = `acl-role/${name}`;
    const isUndecided = (of: ReturnType<typeof known>) => orphanedObjects(of)?.isUndecided(subject);
    const unread = known();
    unread.world.forgetDirectory('main');
    const unnamed = known();
    unnamed.world.putDirectory('main', [], unnamed.world.beginRead(), NOW, [{ why: 'no ID' }]);
    for (const of of [unread, unnamed]) {
      expect([found([lost], of), isUndecided(of)]).toEqual([[], true]);
      expect(orphanedObjects(of)?.isUndecided(`acl-binding-rule/${name}/${name}`)).toBe(true);
      expect(isStillOrphaned(name, of)).toBe(false);
    }
    expect([whyUndecided(subject, unread), whyUndecided(subject, unnamed)]).toEqual([
      'the directory of main is not read completely yet',
      'the directory of main has a record without a readable client id',
    ]);
    // Another provider's clients have other names.
    const other = known({ providers: ['main', 'far'] });
    expect([found([lost], other), isUndecided(other)]).toEqual([[name], false]);
    expect(isStillOrphaned(name, other)).toBe(true);
    expect(whyUndecided(subject, other)).toBeUndefined();
  });

  it('is not said to be undecided while objects are not read, which decide first', () => {
    const of = known();
    of.world.forgetDirectory('main');
    expect(whyUndecided(`acl-role/${name}`, of)).toBeUndefined();
  });

  it('is undecided while another provider is unread whose clients may have its name', () => {
    const long = 'p'.repeat(100);
    for (const [one, two] of [
      ['a-b', 'a_b'],
      [long, `${long}2`],
    ] as const) {
      const of = known({ providers: [one, two] });
      of.world.putDirectory(one, [], of.world.beginRead(), NOW);
      const role = roleOf('Lost ID');
      const lostName = clientName('pay', { provider: one, clientId: 'Lost ID' });
      const its = { ...role, id: lostName, object: { ...role.object, name: lostName } };
      expect(found([its], of)).toEqual([]);
      of.world.putDirectory(two, [], of.world.beginRead(), NOW);
      expect(found([its], of)).toEqual([lostName]);
    }
  });

  it('is none where no object has such a name, whatever was read of the directories, which nobody asks for', () => {
    const of = known({ providers: ['main', 'far'] });
    const asked = vi.spyOn(of.world.directories, 'unreadableOf');
    expect(orphanedObjects(of)).toBeUndefined();
    expect(found([roleOf('plain')], of)).toEqual([]);
    expect(orphanedObjects(of)?.isUndecided(`acl-role/${name}`)).toBe(false);
    expect(asked).not.toHaveBeenCalled();
  });

  it('is not if its name may be of a client outside the selection, or of one that cannot be read', () => {
    const selecting = known({ select: createSelection({ clients: ['robot'] }) });
    expect(found([lost], selecting)).toEqual([]);
    // No later read decides it, so a hold must not wait for one.
    expect(orphanedObjects(selecting)?.isUndecided(`acl-role/${name}`)).toBe(false);
    expect(found([lost], known({ select: createSelection({ services: ['web'] }) }))).toEqual([name]);
    const unreadable = known();
    unreadable.world.putDirectory('main', [], unreadable.world.beginRead(), NOW, [
      { clientId: 'Lost ID', why: 'x' },
    ]);
    expect(found([lost], unreadable)).toEqual([]);
  });

  it('is found without a hash of every client that cannot be read at each count', () => {
    const of = known();
    const spoilt = Array.from({ length: 100 }, (_, at) => ({ clientId: `Spoilt ${at}`, why: 'x' }));
    of.world.putDirectory('main', [], of.world.beginRead(), NOW, spoilt);
    expect(found([lost, roleOf('Spoilt 7')], of)).toEqual([name]);
    vi.mocked(clientName).mockClear();
    for (let times = 0; times < 10; times++) orphanedObjects(of);
    expect(clientName).not.toHaveBeenCalled();
    // What a later read says of one client is known too.
    const read = (clientId: string, why?: string) => {
      const id = { provider: 'main', clientId };
      if (why === undefined) of.world.putClient(id, undefined, of.world.beginRead());
      else of.world.putUnreadable(id, why, of.world.beginRead());
    };
    read('Spoilt 7');
    read('Lost ID', 'x');
    expect([...(orphanedObjects(of)?.names.values() ?? [])]).toEqual([nameOf('Spoilt 7')]);
    vi.mocked(clientName).mockClear();
    of.world.putDirectory('main', [], of.world.beginRead(), NOW, spoilt);
    orphanedObjects(of);
    expect(vi.mocked(clientName).mock.calls.length).toBeLessThan(10);
  });

  it('is one no longer once its client is read, or the object is gone or has another owner', () => {
    const of = known();
    expect(found([lost], of)).toEqual([name]);
    expect(isStillOrphaned(name, of)).toBe(true);
    of.world.putClient(
      { provider: 'main', clientId: 'Lost ID' },
      client('Lost ID', []),
      of.world.beginRead(),
    );
    expect(orphanedObjects(of)?.names.size).toBe(0);
    expect(isStillOrphaned(name, of)).toBe(false);
    of.world.putClient({ provider: 'main', clientId: 'Lost ID' }, undefined, of.world.beginRead());
    expect(orphanedObjects(of)?.names.size).toBe(1);
    of.world.setMapping(mapping({ owner: 'other' }));
    expect(orphanedObjects(of)?.names.size).toBe(0);
    of.world.setMapping(mapping());
    expect(found([], of)).toEqual([]);
  });

  it('is one although a client of a provider that is no longer configured has its name', () => {
    const of = known();
    of.world.putDirectory('main', [client('Lost ID', [])], of.world.beginRead(), NOW);
    of.world.putDirectory('new', [], of.world.beginRead(), NOW);
    expect(found([lost], of)).toEqual([]);
    of.world.setMapping(mapping({ providers: ['new'] }));
    expect(orphanedObjects(of)?.names.size).toBe(1);
  });

  it('is planned as an inferred loss of a deleted client, and in mode extend only held', () => {
    const plan = (mode: Mapping['mode']) => {
      const of = known({ mode });
      found([lost], of);
      return planOrphaned(name, of);
    };
    for (const mode of ['enforce', 'observe'] as const) {
      expect(plan(mode).holds).toEqual([]);
      expect(plan(mode).changes).toContainEqual(
        expect.objectContaining({
          subject: `acl-role/${name}`,
          verb: 'deleted',
          reason: 'ClientDeleted',
          isInferred: true,
          narrows: true,
          scopes: [],
        }),
      );
    }
    expect(plan('extend')).toMatchObject({ changes: [] });
    expect(new Set(plan('extend').holds.map(({ reason }) => reason))).toEqual(new Set(['ModeForbids']));
  });
});
