import { describe, expect, it } from 'vitest';
import { AclState } from '../../../src/acl/apply/acl-state.js';
import { objectNamesOf } from '../../../src/acl/state/plan-client-acl.js';
import { isStillUnlinked, unlinkedPolicies } from '../../../src/acl/state/unlinked-policies.js';
import { clientKey, formatKey, type Key, leftObjectsKey, providerKey } from '../../../src/model/key.js';
import { WorldState } from '../../../src/state/world-state.js';
import { client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { POLICY, policy, role } from '../apply/memory-acl.js';
import { aclRule, READ_CONFIG, settings } from '../plan/acl-scene.js';
import { NOTHING, stored } from './client-acl-scene.js';

/** A policy, the roles that link these names, and a client `web` that wants one of another name. */
function rig(...links: readonly string[]) {
  const acl = new AclState();
  const groups = [{ provider: 'main', group: 'oncall', acl: READ_CONFIG }];
  const world = new WorldState(
    mapping({ rules: [aclRule('config:read', READ_CONFIG)], acl: settings({ groups }) }),
    SETTINGS,
  );
  world.putDirectory('main', [client('web', ['config:read']), client('bot', [])], world.beginRead(), NOW);
  const roles = stored(links.length === 0 ? [] : [role(...links).object]);
  const policies = stored([policy().object]);
  acl.cache.replaceAll({ ...NOTHING, roles, policies }, world.beginRead());
  const [wanted = ''] = objectNamesOf({ provider: 'main', clientId: 'web' }, { world, acl }).policies;
  return {
    ...{ world, acl, wanted },
    /** Whether the policy is unlinked, while the job of this key is under way. */
    isUnlinked: (name: string, key?: string) => {
      const ask = async () => isStillUnlinked({ resource: { kind: 'acl-policy', name } }, { world, acl });
      return key === undefined ? ask() : acl.whileUnderWay(key, ask);
    },
  };
}

describe('a policy whose removal is planned', () => {
  it('is unlinked if no role links it, whoever is under way', async () => {
    const { isUnlinked } = rig('other');
    const keys: readonly Key[] = [clientKey('main', 'web'), providerKey('main'), providerKey('far')];
    expect(await isUnlinked(POLICY)).toBe(true);
    for (const key of keys) expect(await isUnlinked(POLICY, formatKey(key))).toBe(true);
  });

  it('is linked by a role in any letters, also beside other policies', async () => {
    expect(await rig('other', POLICY.toUpperCase()).isUnlinked(POLICY)).toBe(false);
    expect(await rig('other', POLICY).isUnlinked(POLICY.toUpperCase())).toBe(false);
  });

  it('is wanted by the job of a client or of people, while that is under way', async () => {
    const { isUnlinked, wanted } = rig();
    expect(wanted).not.toBe('');
    expect(await isUnlinked(wanted)).toBe(true);
    expect(await isUnlinked(wanted, formatKey(clientKey('main', 'web')))).toBe(false);
    expect(await isUnlinked(wanted, formatKey(providerKey('main')))).toBe(false);
  });

  it('is wanted by no other job', async () => {
    const { isUnlinked, wanted } = rig();
    const internal: Key = { kind: 'client', provider: 'main', by: 'internalId', value: 'web' };
    const keys = [clientKey('main', 'bot'), internal, providerKey('far')].map(formatKey);
    for (const key of [...keys, leftObjectsKey('pay')]) expect(await isUnlinked(wanted, key)).toBe(true);
  });
});

describe('the removal of policies that nothing links', () => {
  it('leaves those that roles link, that plans want, and that others own', () => {
    const { acl } = rig();
    const plan = (plans: Parameters<typeof unlinkedPolicies>[0] = [], owner = 'pay', cache = acl.cache) =>
      unlinkedPolicies(plans, { cache }, { owner, mode: 'enforce' }).changes;
    expect(plan()).toMatchObject([{ verb: 'deleted', narrows: false, isInferred: false, scopes: [] }]);
    const desired = { policies: [policy().object], roles: [], authMethods: [], bindingRules: [] };
    expect(plan([{ desired }])).toEqual([]);
    expect(plan([], 'shop')).toEqual([]);
    expect(plan([], 'pay', rig(POLICY).acl.cache)).toEqual([]);
  });
});
