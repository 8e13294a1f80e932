import { describe, expect, it, vi } from 'vitest';
import { forgetRemoved, writersOfAcl } from '../../../src/apply/acl/forget-removed.js';
import { clientKey, formatKey, leftObjectsKey, providerKey } from '../../../src/model/key.js';
import { AclCache } from '../../../src/state/acl-cache.js';
import { scopesKey } from '../../../src/state/plan-client-acl.js';
import { WorldState } from '../../../src/state/world-state.js';
import { mapping, SETTINGS } from '../../plan/scene.js';
import { idOf, role, WEB } from './memory-acl.js';

const WRITER = { provider: 'main', clientId: 'web' };
const KEY = formatKey(clientKey('main', 'web'));
const ROLE = `acl-role/${WEB}`;
const ACL = new Map([
  [ROLE, 'digest'],
  [scopesKey(ROLE), '["config:read"]'],
]);
const CLAIM = 'claim/main/web/web';

function worldOf(records: Readonly<Record<string, ReadonlyMap<string, string>>>): WorldState {
  const world = new WorldState(mapping(), SETTINGS);
  for (const [key, written] of Object.entries(records)) world.rememberWritten(key, written);
  return world;
}

describe('the client that wrote ACL objects', () => {
  it('is found by the role whose scopes it recorded, once', () => {
    expect(writersOfAcl(worldOf({ [KEY]: ACL }))).toEqual(new Map([[ROLE, WRITER]]));
  });

  it('is found by nothing else that is recorded', () => {
    const others = new Map([
      [CLAIM, 'x'],
      [scopesKey(CLAIM), '[]'],
      [`${scopesKey('')} acl`, '[]'],
      [ROLE, 'digest'],
    ]);
    expect(writersOfAcl(worldOf({ [KEY]: others }))).toEqual(new Map());
  });

  it('is nobody if the record is not of a client by its client ID', () => {
    const internal = formatKey({ kind: 'client', provider: 'main', by: 'internalId', value: '1' });
    const keys = [internal, formatKey(providerKey('main')), leftObjectsKey('pay')];
    for (const key of keys) expect(writersOfAcl(worldOf({ [key]: ACL }))).toEqual(new Map());
  });
});

describe('what a client wrote and the complete comparison removed', () => {
  function rig() {
    const world = worldOf({ [KEY]: new Map([...ACL, [CLAIM, 'x']]) });
    const settle = vi.fn(async () => {});
    const cache = new AclCache();
    return { world, settle, cache, deps: { world, acl: { cache }, journal: { settle } } };
  }

  it('is forgotten in the journal and in memory, and nothing else of the client', async () => {
    const { world, settle, deps } = rig();
    await forgetRemoved(WEB, WRITER, deps);
    const gone = new Map([...ACL.keys()].map((subject) => [subject, null]));
    expect(settle.mock.calls).toEqual([[KEY, [], { lastApplied: gone }]]);
    expect(world.records.of(KEY)).toEqual(new Map([[CLAIM, 'x']]));
  });

  it('stays while an object with the name exists', async () => {
    const { world, settle, cache, deps } = rig();
    const object = role();
    cache.wrote(object, { ...object, id: idOf(object), isAltered: false, modifyIndex: 1 }, 1);
    await forgetRemoved(WEB, WRITER, deps);
    expect(settle).not.toHaveBeenCalled();
    expect(world.records.of(KEY).size).toBe(3);
  });

  it('is nothing if nobody here wrote it', async () => {
    const { world, settle, deps } = rig();
    await forgetRemoved(WEB, undefined, deps);
    expect(settle).not.toHaveBeenCalled();
    expect(world.records.of(KEY).size).toBe(3);
  });
});
