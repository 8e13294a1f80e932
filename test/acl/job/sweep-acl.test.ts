import { describe, expect, it } from 'vitest';
import { reconcileClientAcl } from '../../../src/acl/job/client-acl.js';
import { reconcilePeople } from '../../../src/acl/job/people.js';
import { planAclFleet } from '../../../src/acl/job/plan-fleet-acl.js';
import { sweepAcl } from '../../../src/acl/job/sweep-acl.js';
import type { AclObject } from '../../../src/model/acl.js';
import { clientKey, formatKey } from '../../../src/model/key.js';
import { adoptAcl, planAclAdoptions } from '../../../src/operator/adopt-acl.js';
import { clientName } from '../../../src/plan/object-names.js';
import { readAllAcl } from '../../../src/read/read-acl.js';
import { CAUSE, NEVER } from '../../apply/apply-rig.js';
import { ALLOW, client, entry, NOW, ourSource, rule } from '../../plan/scene.js';
import { UNREACHABLE } from '../../reconcile/deps.js';
import { failed, method, policy } from '../apply/memory-acl.js';
import { aclRule, READ_CONFIG } from '../plan/acl-scene.js';
import { type AclWorld, type AclWorldOptions, aclWorld, denied, ID, jobOf, NO_LOSS } from './acl-world.js';

const GROUPS = [{ group: 'oncall', acl: READ_CONFIG }];
const PEOPLE = { kind: 'provider', name: 'main' } as const;
const MANY = { maxRevocations: { percent: 0, atLeast: 1, windowMs: 600_000 } };
const UNLINKED = policy({ name: 'scopemesh-pay-_rules-unlinked' });
/** The auth method of a client whose ID does not fit into a Description. */
const orphan = (clientId: string) =>
  method({
    name: clientName('pay', { provider: 'main', clientId: `${clientId} ß` }),
    description: 'scopemesh:pay',
  });

async function settled(options: AclWorldOptions = {}): Promise<AclWorld> {
  const it = aclWorld({ ...options, settings: { groups: GROUPS } });
  it.state.members = () => new Map([['oncall', ['ann']]]);
  await reconcileClientAcl(ID, jobOf(), it.job, NEVER);
  await reconcilePeople(PEOPLE, jobOf([{ members: true }]), it.job, NEVER);
  it.forget();
  return it;
}
const sweep = (it: AclWorld) => sweepAcl(it.job, CAUSE, NEVER);
const names = (it: AclWorld) =>
  [...it.objects.values()].flatMap(({ object }) => ('name' in object ? [object.name] : []));
const removals = (it: AclWorld) => it.requests().filter((line) => line.startsWith('delete'));

describe('the complete comparison of ACL objects', () => {
  it('finds nothing to do where all is as desired, and counts what there is', async () => {
    const it = await settled();
    expect(await sweep(it)).toMatchObject({ changes: 0, holds: 0 });
    expect(it.added).toEqual([]);
    expect((await sweep(it)).objects).toBe(4);
    expect(it.requests()).toEqual(['read all', 'read all']);
  });

  it('asks for each key that has something to do, and counts the changes and the holds', async () => {
    const it = await settled({ mapping: NO_LOSS });
    it.putClients(client('web', []));
    it.job.acl.members.set('main', new Map([['oncall', []]]));
    const { changes, holds } = await sweep(it);
    expect(it.added.map(({ key, urgent }) => `${formatKey(key)} ${urgent}`)).toEqual([
      'client/main/web true',
      'provider/main true',
    ]);
    expect(changes).toBeGreaterThan(3);
    expect(holds).toBe(0);
  });

  it('removes a policy of ours that nothing links, and none of others, with its decision', async () => {
    const it = await settled();
    it.put(UNLINKED, {
      ...UNLINKED,
      object: { ...UNLINKED.object, name: 'scopemesh-pay-_rules-x', description: 'Mine' },
    });
    await sweep(it);
    expect(names(it)).not.toContain(UNLINKED.object.name);
    expect(names(it)).toContain('scopemesh-pay-_rules-x');
    expect(it.decided()).toMatchObject([
      { type: 'dev.scopemesh.acl-policy.deleted', outcome: 'applied', cause: CAUSE },
    ]);
  });

  it('removes the objects of clients that no Description names within the limit, and counts them durably', async () => {
    const it = await settled({ mapping: MANY });
    it.put(orphan('a'));
    await sweep(it);
    expect(removals(it)).toEqual([`delete ${orphan('a').object.name}`]);
    expect(it.decided()).toMatchObject([{ outcome: 'applied', reason: 'ClientDeleted' }]);
    expect(it.job.window.used(NOW)).toBe(1);
    expect(await it.job.keyValues.get('guard/window')).toContain('"edges":1');
    it.put(orphan('b'));
    it.forget();
    expect((await sweep(it)).holds).toBe(1);
    expect(removals(it)).toEqual([]);
    expect(names(it)).toContain(orphan('b').object.name);
  });

  it('removes none of several beyond the limit, and holds each', async () => {
    const it = await settled({ mapping: MANY });
    it.put(orphan('a'), orphan('b'));
    expect((await sweep(it)).holds).toBe(2);
    expect(removals(it)).toEqual([]);
    expect(it.job.window.used(NOW)).toBe(0);
    expect(it.outcomes()).toEqual(['acl-role held RevocationLimit', 'acl-role held RevocationLimit']);
  });

  it('counts the objects of an unknown client once if their removal fails, and removes them the next time', async () => {
    const it = await settled({ mapping: MANY });
    it.put(orphan('a'));
    it.before = async (line) => {
      if (line.startsWith('delete')) throw failed('ERR_CONSUL_CONFLICT');
    };
    await sweep(it);
    expect(it.job.window.used(NOW)).toBe(1);
    it.before = async () => {};
    await sweep(it);
    expect(names(it)).not.toContain(orphan('a').object.name);
    expect(it.job.window.used(NOW)).toBe(1);
  });

  it('keeps the objects of unknown clients while edges would be lost, or are being lost, up to the limit', async () => {
    const it = await settled({
      mapping: { ...MANY, rules: [aclRule('config:read', READ_CONFIG), rule('orders', 'orders')] },
      clients: [client('web', ['config:read', 'orders'])],
      services: [['web', 'web']],
    });
    it.world.putEntries([entry('orders', ourSource('web', ALLOW))], NOW);
    it.putClients(client('web', ['config:read']));
    it.put(orphan('a'));
    await sweep(it);
    expect(removals(it)).toEqual([]);
    it.job.window.reserveEdge('intention/default/default/orders/web', NOW);
    await sweep(it);
    expect(removals(it)).toEqual([]);
    expect(it.job.window.used(NOW)).toBe(0);
  });

  it.each(['observe', 'extend'] as const)('removes nothing in mode %s', async (mode) => {
    const it = await settled({ mapping: MANY });
    it.setMapping({ mode });
    it.put(UNLINKED, orphan('a'));
    await sweep(it);
    expect(removals(it)).toEqual([]);
    expect(it.outcomes().toSorted()).toEqual([
      'acl-auth-method observed ModeForbids',
      'acl-policy observed ModeForbids',
    ]);
  });

  it('asks for its keys before it removes anything, also where a removal fails, and says so', async () => {
    const it = await settled();
    it.putClients(client('web', []));
    it.put(UNLINKED);
    let asked = 0;
    it.before = async (line) => {
      if (!line.startsWith('delete')) return;
      asked = it.added.length;
      throw failed('ERR_CONSUL_CONFLICT', 'theirs now');
    };
    await sweep(it);
    expect(asked).toBe(1);
    expect(it.warnings).toHaveLength(1);
  });

  it('goes on where Consul denies a removal, and reports each', async () => {
    const it = await settled();
    it.put(UNLINKED, orphan('a'), orphan('b'));
    it.before = async (line) => {
      if (line.startsWith('delete') && line.includes('_rules-unlinked')) throw denied;
      if (line.startsWith('delete') && line.includes(orphan('a').object.name)) throw denied;
    };
    expect(await sweep(it)).toMatchObject({ holds: 0 });
    expect(names(it)).toContain(orphan('a').object.name);
    expect(names(it)).not.toContain(orphan('b').object.name);
    expect(it.outcomes().filter((line) => line.includes('failed'))).toEqual([
      'acl-auth-method failed ConsulRefused',
      'acl-policy failed ConsulRefused',
    ]);
    expect(it.warnings).toEqual([expect.stringMatching(/^Consul refuses the removal of ACL objects/)]);
    expect(it.counted).toContain('scopemesh_acl_cleanup_denied_total 2');
  });

  it('fails where Consul does not answer a removal, or cannot be read', async () => {
    const it = await settled();
    it.put(UNLINKED);
    it.before = async (line) => {
      if (line.startsWith('delete')) throw failed('ERR_CONSUL_UNREACHABLE');
    };
    await expect(sweep(it)).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    it.before = () => Promise.reject(UNREACHABLE);
    await expect(sweep(it)).rejects.toBe(UNREACHABLE);
  });

  it('is the last one where it finds none and the mapping wants none', async () => {
    const it = await settled();
    it.setMapping({ rules: [], acl: { ...it.world.mapping.acl, groups: [] } });
    await sweep(it);
    expect(it.job.acl.mayHaveObjects).toBe(true);
    it.objects.clear();
    it.added.length = 0;
    await sweep(it);
    expect(it.added).toEqual([]);
    expect(it.job.acl.mayHaveObjects).toBe(false);
    it.forget();
    expect(await sweep(it)).toEqual({ objects: 0, changes: 0, holds: 0 });
    expect(it.log).toEqual([]);
    const configured = aclWorld({ clients: [] });
    await configured.job.acl.noteWrite(configured.job.keyValues);
    await sweep(configured);
    expect(configured.job.acl.mayHaveObjects).toBe(true);
  });

  it('is not the last one while holds of objects without a client are recorded', async () => {
    const it = await settled({ mapping: NO_LOSS });
    it.put(orphan('a'));
    await sweep(it);
    it.setMapping({ rules: [], acl: { ...it.world.mapping.acl, groups: [] } });
    it.objects.clear();
    // Then no hold ends.
    const low = { ...it.job, space: { isLow: () => true } };
    await sweepAcl(low, CAUSE, NEVER);
    expect(it.job.acl.mayHaveObjects).toBe(true);
    it.world.forgetDirectory('main');
    await sweep(it);
    expect(it.job.acl.mayHaveObjects).toBe(false);
    expect((await it.job.journal.read('acl/pay')).holds.size).toBe(0);
  });

  it('is nothing where Consul denies what an earlier mapping wanted', async () => {
    const it = await settled();
    it.setMapping({ rules: [], acl: { ...it.world.mapping.acl, groups: [] } });
    it.before = () => Promise.reject(denied);
    expect(await sweep(it)).toEqual({ objects: 0, changes: 0, holds: 0 });
  });
});

describe('the plan of all ACL objects', () => {
  const planned = async (it: AclWorld) => {
    await readAllAcl(it.job, NEVER);
    return planAclFleet(it.job);
  };
  const changes = ({ changes: all }: Awaited<ReturnType<typeof planned>>) =>
    all.map(({ subject, verb }) => `${subject.split('/')[0]} ${verb}`);

  it('has the changes of clients and people, each shared policy once, and what nothing links', async () => {
    const it = aclWorld({
      settings: { groups: GROUPS },
      clients: [client('web', ['config:read']), client('bot', ['config:read'])],
    });
    it.job.acl.members.set('main', new Map([['oncall', ['ann']]]));
    it.put(UNLINKED);
    const plan = await planned(it);
    expect(changes(plan).filter((each) => each.startsWith('acl-policy'))).toEqual([
      'acl-policy created',
      'acl-policy deleted',
    ]);
    expect(changes(plan).filter((each) => each === 'acl-role created')).toHaveLength(3);
    expect(plan.clients.map(({ clientId }) => clientId).toSorted()).toEqual(['bot', 'web']);
    expect(plan.people).toEqual(['main']);
    it.setMapping({ mode: 'extend' });
    const extended = await planned(it);
    expect(changes(extended)).not.toContain('acl-policy deleted');
    expect(extended.holds).toMatchObject([
      { subject: `acl-policy/${UNLINKED.object.name}`, reason: 'ModeForbids' },
    ]);
  });

  it('names clients with losses first, and holds what the limit holds', async () => {
    const it = await settled({
      mapping: NO_LOSS,
      clients: [client('web', ['config:read']), client('bot', [])],
    });
    expect(await planned(it)).toMatchObject({ changes: [], holds: [], clients: [], people: [] });
    it.putClients(client('web', []), client('bot', ['config:read']));
    it.job.acl.members.set('main', new Map([['oncall', []]]));
    const plan = await planned(it);
    expect(plan.clients.map(({ clientId }) => clientId)).toEqual(['web', 'bot']);
    expect(plan.holds.map(({ subject, reason }) => `${subject.split('/')[0]} ${reason}`)).toEqual([
      'acl-role RevocationLimit',
      'acl-role RevocationLimit',
    ]);
    expect(plan.changes.every(({ narrows }) => !narrows)).toBe(true);
    expect(plan.budget).toEqual({ owned: 2, planned: 2, begun: 0 });
  });

  it('is empty where the mapping wants nothing and nothing was written', async () => {
    const it = aclWorld({ mapping: { rules: [] } });
    expect(await planAclFleet(it.job)).toEqual({
      changes: [],
      holds: [],
      clients: [],
      people: [],
      budget: { owned: 0, planned: 0, begun: 0 },
    });
  });
});

describe('the adoption of ACL objects without a mark', () => {
  const unmark = (it: AclWorld, isIt: (object: AclObject) => boolean = () => true) => {
    for (const each of [...it.objects.values()])
      if (isIt(each)) it.put({ ...each, object: { ...each.object, description: '' } } as AclObject);
  };
  const adoptable = async (it: AclWorld) => {
    await readAllAcl(it.job, NEVER);
    return planAclAdoptions(it.job);
  };
  const texts = (all: Awaited<ReturnType<typeof adoptable>>) =>
    all.map(
      ({ key, changes }) => `${formatKey(key)} ${changes.map(({ resource }) => resource.kind).join(' ')}`,
    );

  it('is of all that equals what is desired, each shared policy once', async () => {
    const it = await settled();
    expect(await adoptable(it)).toEqual([]);
    unmark(it);
    const found = await adoptable(it);
    expect(texts(found)[0]).toBe('client/main/web acl-policy acl-role acl-auth-method acl-binding-rule');
    expect(found.flatMap(({ changes }) => changes).map(({ reason }) => reason)).toContain('Adopted');
    expect(found[0]?.changes[0]).toMatchObject({
      scopes: ['config:read'],
      client: { clientId: 'web' },
      isInferred: false,
    });
    it.setMapping({ mode: 'observe' });
    expect(await adoptable(it)).toEqual([]);
  });

  it('writes the marks that were asked for, from a fresh read, and no others', async () => {
    const it = await settled();
    unmark(it);
    const [adoption] = await adoptable(it);
    const [first, second] = (adoption?.changes ?? []).map(({ subject }) => subject);
    const subjects = new Set([first ?? '', second ?? '']);
    it.forget();
    expect(await adoptAcl({ key: clientKey('main', 'web'), subjects }, CAUSE, it.job, NEVER)).toBe(2);
    expect(it.requests()[0]).toMatch(/^read scopemesh-pay-main-web /);
    expect(it.decided().map(({ reason, outcome }) => `${reason} ${outcome}`)).toEqual([
      'Adopted applied',
      'Adopted applied',
    ]);
    expect(await adoptAcl({ key: clientKey('main', 'web'), subjects }, CAUSE, it.job, NEVER)).toBe(0);
  });

  it('leaves what another writer changed meanwhile', async () => {
    const it = await settled();
    unmark(it, ({ kind }) => kind === 'acl-role');
    const [adoption] = await adoptable(it);
    const subjects = new Set(adoption?.changes.map(({ subject }) => subject));
    const role = [...it.objects.values()].find(
      ({ object }) => 'name' in object && object.name === 'scopemesh-pay-main-web',
    );
    if (role?.kind !== 'acl-role') throw new Error('no role');
    it.put({ ...role, object: { ...role.object, policies: [] } });
    expect(await adoptAcl({ key: clientKey('main', 'web'), subjects }, CAUSE, it.job, NEVER)).toBe(0);
  });

  it('of people names them', async () => {
    const it = await settled();
    unmark(it, ({ kind, object }) => kind === 'acl-role' && !object.description.includes('client='));
    const [adoption, ...others] = await adoptable(it);
    if (adoption === undefined) throw new Error('nothing to adopt');
    expect(others).toEqual([]);
    expect(adoption.changes[0]?.person).toMatchObject({ subject: 'ann', group: 'oncall' });
    expect(formatKey(adoption.key)).toBe('provider/main');
    const subjects = new Set(adoption.changes.map(({ subject }) => subject));
    expect(await adoptAcl({ key: PEOPLE, subjects }, CAUSE, it.job, NEVER)).toBe(subjects.size);
  });
});
