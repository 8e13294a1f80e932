import { describe, expect, it } from 'vitest';
import {
  aclTriggers,
  aclTriggersOf,
  type CompleteRead,
  everyAclTrigger,
} from '../../../src/acl/job/acl-triggers.js';
import { reconcileClientAcl } from '../../../src/acl/job/client-acl.js';
import { keysOf, observeAcl } from '../../../src/acl/job/observe-acl.js';
import { reconcilePeople } from '../../../src/acl/job/people.js';
import type { AclObject } from '../../../src/model/acl.js';
import { clientKey, formatKey } from '../../../src/model/key.js';
import type { Trigger } from '../../../src/model/trigger.js';
import { personName } from '../../../src/plan/object-names.js';
import { readAllAcl } from '../../../src/read/read-acl.js';
import { CAUSE, NEVER } from '../../apply/apply-rig.js';
import { client } from '../../plan/scene.js';
import { UNREACHABLE } from '../../reconcile/deps.js';
import { READ_CONFIG } from '../plan/acl-scene.js';
import { type AclWorld, type AclWorldOptions, aclWorld, denied, ID, jobOf, NAME } from './acl-world.js';

const GROUPS = [{ group: 'oncall', acl: READ_CONFIG }];
const PEOPLE = { kind: 'provider', name: 'main' } as const;
const texts = (triggers: readonly Trigger[]) =>
  triggers.map(({ key, urgent, members, evidence }) =>
    [
      formatKey(key),
      ...(urgent ? ['urgent'] : []),
      ...(members ? ['members'] : []),
      ...(evidence ? ['evidence'] : []),
    ].join(' '),
  );
const read = (changes: Partial<CompleteRead> = {}): CompleteRead => ({
  provider: 'main',
  clients: [],
  isFirst: false,
  evidenceOf: () => [],
  ...changes,
});
const ofRead = async (it: AclWorld, changes: Partial<CompleteRead> = {}) =>
  texts(await aclTriggersOf(read(changes), it.job, CAUSE, NEVER));
const fresh = async (it: AclWorld) => texts(await aclTriggers(it.job, CAUSE, NEVER));

/** Everything is as desired, and was read. */
async function settled(options: AclWorldOptions = {}): Promise<AclWorld> {
  const it = aclWorld(options);
  it.state.members = () => new Map([['oncall', ['ann']]]);
  await reconcileClientAcl(ID, jobOf(), it.job, NEVER);
  await reconcilePeople(PEOPLE, jobOf([{ members: true }]), it.job, NEVER);
  await readAllAcl(it.job, NEVER);
  it.job.acl.cache.drainHolderChanges();
  it.forget();
  return it;
}
const lost = (it: AclWorld) => it.putClients(client('web', []));
const remove = (it: AclWorld, isIt: (object: AclObject) => boolean) => {
  for (const [id, object] of it.objects) if (isIt(object)) it.objects.delete(id);
};

describe('after a complete read of a provider', () => {
  it('a client with a loss is asked for urgently, one with a gain as well, and no other', async () => {
    const it = await settled();
    expect(await ofRead(it, { clients: [ID] })).toEqual([]);
    lost(it);
    expect(await ofRead(it, { clients: [ID] })).toEqual(['client/main/web urgent']);
    expect(await ofRead(it, { clients: [] })).toEqual([]);
    const gaining = aclWorld();
    expect(await ofRead(gaining, { clients: [ID] })).toEqual(['client/main/web']);
  });

  it('has what the provider reported about the client', async () => {
    const it = await settled();
    lost(it);
    const evidenceOf = () => [{ provider: 'main', clients: ['web'] }];
    const [trigger] = await aclTriggersOf(read({ clients: [ID], evidenceOf }), it.job, CAUSE, NEVER);
    expect(trigger).toEqual({
      key: clientKey('main', 'web'),
      cause: CAUSE,
      urgent: true,
      evidence: evidenceOf(),
    });
  });

  it('that is its first one all clients with objects are compared, also those that it does not show', async () => {
    const it = await settled();
    it.putClients();
    expect(await ofRead(it)).toEqual([]);
    expect(await ofRead(it, { isFirst: true })).toEqual(['client/main/web urgent']);
  });

  it('that could not be compared, all are compared at the next', async () => {
    const it = aclWorld();
    it.before = () => Promise.reject(UNREACHABLE);
    await expect(ofRead(it, { clients: [] })).rejects.toBe(UNREACHABLE);
    it.before = async () => {};
    expect(await ofRead(it)).toEqual(['client/main/web']);
    expect(await ofRead(it)).toEqual([]);
  });

  it('nothing is read again, as the watch shows what changed in Consul', async () => {
    const it = await settled();
    await ofRead(it, { clients: [ID] });
    expect(it.requests()).toEqual([]);
  });

  it('nothing is asked where the mapping wants nothing, or Consul denies what it wanted', async () => {
    const none = aclWorld({ mapping: { rules: [] } });
    expect(await ofRead(none, { isFirst: true })).toEqual([]);
    expect(none.log).toEqual([]);
    const earlier = aclWorld({ mapping: { rules: [] } });
    await earlier.job.acl.noteWrite(earlier.job.keyValues);
    earlier.before = () => Promise.reject(denied);
    expect(await ofRead(earlier, { clients: [ID] })).toEqual([]);
  });

  it('the job of a client that is under way runs again, as it planned before', async () => {
    const it = await settled();
    await it.job.acl.whileUnderWay('client/main/web', async () => {
      expect(await ofRead(it, { clients: [ID] })).toEqual(['client/main/web']);
    });
  });
});

describe('after a fresh read of Consul', () => {
  it('each key with changes is asked for, of clients and of people', async () => {
    const it = await settled({ settings: { groups: GROUPS } });
    expect(await fresh(it)).toEqual([]);
    remove(it, ({ kind }) => kind === 'acl-role');
    expect(await fresh(it)).toEqual(['client/main/web', 'provider/main']);
    lost(it);
    it.job.acl.members.set('main', new Map([['oncall', []]]));
    expect(await fresh(it)).toEqual(['client/main/web urgent', 'provider/main urgent']);
  });

  it('people whose members are not known, or whose job is under way, are asked for', async () => {
    const it = await settled({ settings: { groups: GROUPS } });
    await it.job.acl.whileUnderWay('provider/main', async () => {
      expect(await fresh(it)).toEqual(['provider/main']);
    });
    it.job.acl.members.clear();
    expect(await fresh(it)).toEqual(['provider/main members']);
  });

  it('nothing is asked where the mapping wants nothing, or Consul denies what it wanted', async () => {
    const none = aclWorld({ mapping: { rules: [] } });
    expect(await fresh(none)).toEqual([]);
    expect(none.log).toEqual([]);
    await none.job.acl.noteWrite(none.job.keyValues);
    none.before = () => Promise.reject(denied);
    expect(await fresh(none)).toEqual([]);
    expect(none.warnings).toHaveLength(1);
  });

  it('every key is asked for where Consul cannot be read', async () => {
    const it = await settled({ settings: { groups: GROUPS } });
    expect(texts(everyAclTrigger(it.job, CAUSE))).toEqual(['client/main/web urgent', 'provider/main urgent']);
  });
});

describe('what a watch shows', () => {
  const observed = async (it: AclWorld) => texts(await observeAcl(it.job, CAUSE, NEVER));

  it('asks for the keys whose objects another writer changed or removed, and for no other', async () => {
    const it = await settled({ settings: { groups: GROUPS } });
    expect(await observed(it)).toEqual([]);
    const role = it.objects.get(`acl-role-${NAME}`);
    if (role?.kind !== 'acl-role') throw new Error('no role');
    it.put({ ...role, object: { ...role.object, policies: [] } });
    expect(await observed(it)).toEqual(['client/main/web urgent']);
    expect(await observed(it)).toEqual([]);
    it.put({ ...role, object: { ...role.object, description: 'Mine' } });
    expect(await observed(it)).toEqual(['client/main/web urgent']);
    const person = personName('pay', 'main', 'ann', 'oncall');
    remove(it, ({ object }) => 'name' in object && object.name === person);
    expect(await observed(it)).toEqual(['provider/main urgent']);
  });

  it('of a client that is not known is asked for by its Description', async () => {
    const it = await settled();
    it.putClients();
    const rule = [...it.objects.values()].find(({ kind }) => kind === 'acl-binding-rule');
    remove(it, (each) => each === rule);
    expect(await observed(it)).toEqual(['client/main/web urgent']);
  });

  it('at first asks for nothing, as the complete comparison plans everything', async () => {
    const it = aclWorld();
    expect(await observed(it)).toEqual([]);
    expect(it.job.acl.cache.isComplete).toBe(true);
  });

  it('is nothing where Consul denies what an earlier mapping wanted, and fails in every other case', async () => {
    const it = aclWorld({ mapping: { rules: [] } });
    it.before = () => Promise.reject(denied);
    expect(await observed(it)).toEqual([]);
    it.before = () => Promise.reject(UNREACHABLE);
    await expect(observed(it)).rejects.toBe(UNREACHABLE);
    const wanting = aclWorld();
    wanting.before = () => Promise.reject(denied);
    await expect(observed(wanting)).rejects.toBe(denied);
  });

  it('of nothing asks for nothing', async () => {
    const it = await settled();
    expect(keysOf([], it.job, CAUSE)).toEqual([]);
  });

  it('of a role that lost the identity of a service asks for the clients that name the service', async () => {
    const it = await settled({
      settings: { login: true, firstLogin: true },
      clients: [
        client('web', ['config:read']),
        client('bot', [], { attributes: { 'consul-services': 'shop' } }),
      ],
    });
    it.put({
      kind: 'acl-role',
      object: {
        name: 'scopemesh-pay-main-old',
        description: 'scopemesh:pay client=main/old',
        policies: [],
        serviceIdentities: ['shop'],
      },
    });
    await observed(it);
    remove(it, ({ object }) => 'name' in object && object.name === 'scopemesh-pay-main-old');
    expect(await observed(it)).toContain('client/main/bot urgent');
  });
});
