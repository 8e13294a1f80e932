import { afterEach, describe, expect, it } from 'vitest';
import { aclBudget, fleetBudget } from '../../../src/acl/job/acl-budget.js';
import { reconcileClientAcl } from '../../../src/acl/job/client-acl.js';
import { removeLeft } from '../../../src/acl/job/remove-left.js';
import { restoreRejections } from '../../../src/operator/approvals.js';
import { readAllAcl } from '../../../src/read/read-acl.js';
import { sweep } from '../../../src/reconcile/sweep.js';
import { RevocationWindow } from '../../../src/state/revocation-window.js';
import { CAUSE } from '../../apply/apply-rig.js';
import { client } from '../../plan/scene.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { clientOf } from '../../support/daemon.js';
import { startWorker, type Worker } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';
import { failed, policy, role } from '../apply/memory-acl.js';
import { READ_CONFIG } from '../plan/acl-scene.js';
import { type AclWorld, aclWorld, ID, jobOf } from './acl-world.js';
import { long, orphanedWorld } from './orphaned-world.js';

const never = new AbortController().signal;

let rig: AclRig;
let worker: Worker;

const methods = async () => (await rig.objects('auth-methods')).length;

/** A process that compares everything, after the clients were read completely. */
async function restarted(): Promise<void> {
  await worker.stop();
  worker = await startWorker(rig);
  await worker.idle();
  await sweep(worker.deps, never);
  await worker.idle();
}

describe('objects of clients that no Description names', () => {
  afterEach(async () => {
    await worker.stop();
    await rig.close();
  });

  it('go within the limit of the mass guard, also over restarts', async () => {
    rig = await createAclRig({
      clients: [
        clientOf('web', 'config:read'),
        ...[1, 2].map((at) => ({ ...clientOf(`svc-${at}`, 'config:read'), clientId: long(at) })),
      ],
      file: {
        scopes: { 'config:read': { acl: 'key_prefix "config/" { policy = "read" }' } },
        guards: { maxRevocations: { percent: 0, atLeast: 1 } },
      },
    });
    worker = await startWorker(rig);
    await until('all rules', async () => (await rig.objects('binding-rules')).length === 3);
    await worker.idle();
    rig.idp.clients.delete(long(1));
    await restarted();
    expect(await methods()).toBe(2);
    rig.idp.clients.delete(long(2));
    await restarted();
    expect(await methods()).toBe(2);
  });
});

describe('objects of unknown clients beyond the limit', () => {
  it('are held, one hold for each client, and none is removed', async () => {
    const { it: world, remove, subject, hold } = await orphanedWorld(1);
    expect(await remove()).toMatchObject({ holds: 2, isStale: false });
    expect(world.requests().filter((line) => line.startsWith('delete'))).toEqual([]);
    expect((await hold(1))?.subject).toBe(subject(1));
    expect(world.decided()).toMatchObject(
      [1, 2].map(() => ({ outcome: 'held', reason: 'RevocationLimit', action: 'revoke' })),
    );
    expect(world.decided()[0]?.detail).toMatch(/^2 of 2 edges, clients and memberships would lose access/);
    world.forget();
    await remove();
    expect(world.decided()).toEqual([]);
  });

  it('count for every other loss, rejected ones for one window, and approved ones as made', async () => {
    const { it: world, remove, rule } = await orphanedWorld(1);
    const count = () => aclBudget(world.job, world.nowMs);
    await remove();
    expect(count()).toEqual({ owned: 2, planned: 2, begun: 0 });
    await rule(1, 'rejected');
    await rule(2, 'approved');
    await remove();
    expect(count()).toEqual({ owned: 1, planned: 1, begun: 0 });
    expect(world.job.window.used(world.nowMs)).toBe(1);
    world.nowMs += 600_001;
    expect(count()).toEqual({ owned: 1, planned: 0, begun: 0 });
    await remove();
    expect(count().owned).toBe(1);
  });

  it('are removed once a person approves it, with the name of the person, and stay once a person rejects it', async () => {
    const { it: world, remove, subject, roles, hold, rule, asked } = await orphanedWorld(1);
    await remove();
    expect((await rule(1, 'approved')).kind).toBe('ruled');
    expect((await rule(2, 'rejected')).kind).toBe('ruled');
    // No job has the key.
    expect([asked.times, world.added]).toEqual([2, []]);
    world.forget();
    await remove();
    expect(roles().map((name) => `acl-role/${name}`)).toEqual([subject(2)]);
    const made = world.decided().filter(({ outcome }) => outcome === 'applied');
    expect(made.length).toBeGreaterThan(0);
    expect(made.every(({ principal }) => principal?.id === 'ann')).toBe(true);
    expect([await hold(1), (await hold(2))?.subject]).toEqual([undefined, subject(2)]);
    expect(world.job.window.rejections.of(subject(2))?.by.id).toBe('ann');
    await remove();
    expect(roles()).toHaveLength(1);
    expect((await rule(2, 'approved')).kind).toBe('rejected');
  });

  it('of which a person approved none stay held after a restart, and a rejection too', async () => {
    const { it: world, remove, subject, rule } = await orphanedWorld(1);
    await remove();
    await rule(2, 'rejected');
    const window = new RevocationWindow(600_000);
    await restoreRejections({ ...world.job, window });
    expect(window.rejections.of(subject(2))?.by.id).toBe('ann');
    expect(window.rejections.of(subject(1))).toBeUndefined();
  });

  it('are held no longer once their client is read', async () => {
    const { it: world, clients, remove, hold } = await orphanedWorld(1);
    await remove();
    world.putClients(...clients.slice(0, 1));
    world.forget();
    await remove();
    expect(await hold(1)).toBeUndefined();
    expect(world.decided()).toContainEqual(expect.objectContaining({ reason: 'HoldEnded' }));
  });

  it('stay held with their rulings while a directory is unread', async () => {
    const { it: world, remove, hold, rule } = await orphanedWorld(1);
    await remove();
    await rule(2, 'rejected');
    world.world.forgetDirectory('main');
    world.forget();
    expect(await remove()).toMatchObject({ holds: 0 });
    expect(world.decided()).toEqual([]);
    expect([await hold(1), await hold(2)]).not.toContain(undefined);
  });

  it('wait while their own directory is incomplete, and the answer to an approval says so', async () => {
    const { it: world, remove, roles, rule } = await orphanedWorld(1);
    await readAllAcl(world.job, never);
    await remove();
    world.world.putDirectory('main', [], world.world.beginRead(), world.nowMs, [{ why: 'no ID' }]);
    expect(await rule(1, 'approved')).toMatchObject({
      kind: 'ruled',
      waits: 'the directory of main has a record without a readable client id',
    });
    world.world.forgetDirectory('main');
    expect(await rule(2, 'approved')).toMatchObject({
      waits: 'the directory of main is not read completely yet',
    });
    await remove();
    expect(roles()).toHaveLength(2);
    world.putClients();
    await remove();
    expect(roles()).toEqual([]);
    const read = await orphanedWorld(1);
    await readAllAcl(read.it.job, never);
    await read.remove();
    expect(await read.rule(1, 'approved')).not.toHaveProperty('waits');
  });

  it('are held no longer once they are gone, whatever was read of the directories', async () => {
    const { it: world, remove, hold } = await orphanedWorld(1);
    await remove();
    world.objects.clear();
    world.world.forgetDirectory('main');
    await readAllAcl(world.job, never);
    expect(await remove()).toMatchObject({ holds: 0 });
    expect([await hold(1), await hold(2)]).toEqual([undefined, undefined]);
  });

  it('stay although a person approved it, once their client is read', async () => {
    const { it: world, clients, remove, roles, rule, subject } = await orphanedWorld(1);
    await remove();
    for (const at of [1, 2]) await rule(at, 'approved');
    // The second client is read again while the first deletion is under way.
    world.before = async (line) => {
      if (line.startsWith('delete')) world.putClients(...clients.slice(1));
    };
    expect(await remove()).toMatchObject({ isStale: true });
    expect(roles().map((name) => `acl-role/${name}`)).toContain(subject(2));
  });
});

it('the holds of objects of an earlier owner end, with their rulings', async () => {
  const { it: world, remove, rule, subject } = await orphanedWorld(1);
  await remove();
  await rule(1, 'rejected');
  await remove();
  expect(world.job.window.rejections.of(subject(1))?.by.id).toBe('ann');
  world.setMapping({ owner: 'shop' });
  await readAllAcl(world.job, never);
  world.forget();
  await remove();
  expect((await world.job.journal.overview()).holds).toEqual([]);
  expect(world.outcomes().filter((line) => line.includes('HoldEnded'))).toHaveLength(2);
  expect(world.job.window.rejections.of(subject(1))).toBeUndefined();
  expect(world.objects.size).toBeGreaterThan(0);
});

describe('the count of objects of unknown clients while they are removed', () => {
  const sums = (world: AclWorld) => {
    const { used, planned } = fleetBudget(world.job, world.nowMs, aclBudget(world.job, world.nowMs));
    return used + planned;
  };

  it('stays what it was at the beginning, whatever is gone', async () => {
    const { it: world, remove, roles } = await orphanedWorld(6, 6);
    const seen: number[] = [];
    world.before = async (line) => {
      if (line.startsWith('delete')) seen.push(sums(world));
    };
    expect(sums(world)).toBe(6);
    await remove();
    expect(roles()).toEqual([]);
    expect(new Set(seen)).toEqual(new Set([6]));
    expect([sums(world), world.job.window.used(world.nowMs)]).toEqual([6, 6]);
  });

  it('stays although the answers of Consul are lost', async () => {
    const { it: world, remove, roles } = await orphanedWorld(2);
    const { acl } = world.job.consul;
    const lossy = {
      ...acl,
      async delete(...args: Parameters<typeof acl.delete>) {
        await acl.delete(...args);
        throw failed('ERR_CONSUL_UNREACHABLE');
      },
    };
    Object.assign(world.job, { consul: { ...world.job.consul, acl: lossy } });
    await expect(remove()).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    await readAllAcl(world.job, never);
    expect([roles(), sums(world), world.job.window.used(world.nowMs)]).toEqual([[], 2, 2]);
    expect(await world.job.keyValues.get('guard/window')).toContain('acl-role/');
  });

  it('holds the loss of other clients that begins meanwhile and is beyond the limit', async () => {
    const { it: world, remove, roles } = await orphanedWorld(3, 3);
    const others = ['a', 'b'].map((id) => ({ ...client(id, ['config:read']), clientId: id }));
    world.putClients(...others);
    const runAll = async () => {
      for (const { clientId } of others)
        await reconcileClientAcl({ provider: 'main', clientId }, jobOf(), world.job, never);
    };
    await runAll();
    world.before = async (line) => {
      // Two of the three are gone.
      if (!line.startsWith('delete') || roles().length !== 3) return;
      world.before = async () => {};
      world.putClients();
      await runAll();
    };
    await remove();
    expect(roles().toSorted()).toEqual(['scopemesh-pay-main-a', 'scopemesh-pay-main-b']);
  });
});

describe('a policy that nothing links when its removal is planned', () => {
  const UNLINKED = policy({ name: 'scopemesh-pay-_rules-unlinked' });
  const hasIt = ({ objects }: AclWorld) =>
    [...objects.values()].some(({ object }) => 'name' in object && object.name === UNLINKED.object.name);
  /** `learn` is called once the removal is recorded and before it is sent. */
  async function removed(learn: (world: AclWorld) => Promise<void> | void) {
    const world = aclWorld();
    world.put(UNLINKED);
    await readAllAcl(world.job, never);
    const { journal } = world.job;
    let isLearnt = false;
    const learning: typeof journal = {
      ...journal,
      async record(...args) {
        await journal.record(...args);
        if (isLearnt) return;
        isLearnt = true;
        await learn(world);
      },
    };
    const end = await removeLeft([], CAUSE, { ...world.job, journal: learning }, never);
    return { world, isStale: end.isStale };
  }

  it('goes if nothing changes', async () => {
    const { world, isStale } = await removed(() => {});
    expect([hasIt(world), isStale]).toEqual([false, false]);
  });

  it.each(['client/main/web', 'provider/main'])(
    'stays while the job of %s is under way that wants it',
    async (key) => {
      const world = aclWorld({ settings: { groups: [{ group: 'oncall', acl: READ_CONFIG }] } });
      await reconcileClientAcl(ID, jobOf(), world.job, never);
      for (const [name, { kind }] of world.objects) if (kind !== 'acl-policy') world.objects.delete(name);
      await readAllAcl(world.job, never);
      let asked = 0;
      const askForSweep = () => {
        asked++;
      };
      const remove = () => removeLeft([], CAUSE, { ...world.job, askForSweep }, never);
      expect(await world.job.acl.whileUnderWay(key, remove)).toMatchObject({ holds: 0, isStale: true });
      // The comparison in its turn is enough: the policy grants nothing.
      expect([world.objects.size, asked]).toEqual([1, 0]);
      expect(await world.job.acl.whileUnderWay('client/main/bot', remove)).toMatchObject({ isStale: false });
      expect(world.objects.size).toBe(0);
    },
  );

  it('is held in observe beside the objects, once, until a role links it', async () => {
    const { it: world, remove } = await orphanedWorld(10, 1);
    world.setMapping({ mode: 'observe' });
    const objects = await remove();
    expect(objects.holds).toBeGreaterThan(0);
    world.put(UNLINKED);
    await readAllAcl(world.job, never);
    world.forget();
    expect(await remove()).toEqual({ ...objects, holds: objects.holds + 1 });
    const subject = `acl-policy/${UNLINKED.object.name}`;
    expect(world.decided().map((each) => [each.subject, each.outcome])).toEqual([[subject, 'observed']]);
    const held = async () => (await world.job.journal.overview()).holds.map((each) => each.subject);
    expect(await held()).toContain(subject);
    world.forget();
    await remove();
    expect([world.decided(), await held()]).toEqual([[], expect.arrayContaining([subject])]);
    world.put(role(UNLINKED.object.name));
    await readAllAcl(world.job, never);
    await remove();
    expect(await held()).not.toContain(subject);
  });

  it('stays once a role links it', async () => {
    const { world, isStale } = await removed(async (at) => {
      at.put(role(UNLINKED.object.name));
      await readAllAcl(at.job, never);
    });
    expect([hasIt(world), isStale]).toEqual([true, true]);
  });
});

it('objects stay whose client is read while their removal is being stored', async () => {
  const { it: world, clients, remove, subject, roles } = await orphanedWorld(10);
  const { set } = world.job.keyValues;
  Object.assign(world.job, {
    keyValues: {
      ...world.job.keyValues,
      async set(name: string, value: string) {
        world.putClients(...clients.slice(0, 1));
        await set(name, value);
      },
    },
  });
  await remove();
  expect(roles().map((name) => `acl-role/${name}`)).toEqual([subject(1)]);
});
