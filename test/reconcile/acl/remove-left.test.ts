import { afterEach, describe, expect, it } from 'vitest';
import { clientKey, formatKey, leftObjectsKey } from '../../../src/model/key.js';
import { restoreRejections, ruleOnHold } from '../../../src/operator/approvals.js';
import { clientName } from '../../../src/plan/acl/object-names.js';
import { aclBudget } from '../../../src/reconcile/acl/acl-budget.js';
import { reconcileClientAcl } from '../../../src/reconcile/acl/client-acl.js';
import { removeLeft } from '../../../src/reconcile/acl/remove-left.js';
import { sweep } from '../../../src/reconcile/sweep.js';
import { RevocationWindow } from '../../../src/state/revocation-window.js';
import { CAUSE } from '../../apply/apply-rig.js';
import { client } from '../../plan/scene.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { clientOf } from '../../support/daemon.js';
import { startWorker, type Worker } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';
import { aclWorld, jobOf } from './acl-world.js';

const never = new AbortController().signal;
const KEY = leftObjectsKey('pay');

let rig: AclRig;
let worker: Worker;

/** A Description has no room for it. */
const long = (at: number) => `client ${at} ${'ß'.repeat(120)}`;
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

/** Objects of two clients that no Description names, which no read shows any more. */
async function orphanedWorld(atLeast: number) {
  const it = aclWorld({ mapping: { maxRevocations: { percent: 0, atLeast, windowMs: 600_000 } } });
  const two = [1, 2].map((at) => ({ ...client('web', ['config:read']), clientId: long(at) }));
  it.putClients(...two);
  for (const { clientId } of two)
    await reconcileClientAcl({ provider: 'main', clientId }, jobOf(), it.job, never);
  it.putClients();
  it.forget();
  const remove = () => removeLeft([], CAUSE, it.job, never);
  const subject = (at: number) => `acl-role/${clientName('pay', { provider: 'main', clientId: long(at) })}`;
  const roles = () =>
    [...it.objects.values()].flatMap((each) => (each.kind === 'acl-role' ? each.object.name : []));
  const hold = async (at: number) =>
    (await it.job.journal.read(KEY)).holds.get(`${subject(at)} RevocationLimit`);
  const rule = async (at: number, verdict: 'approved' | 'rejected') =>
    ruleOnHold((await hold(at))?.decisionId ?? '', verdict, { id: 'ann' }, it.job);
  return { it, two, remove, subject, roles, hold, rule };
}

describe('objects of unknown clients beyond the limit', () => {
  it('are held, one hold for each client, and none is removed', async () => {
    const { it: world, remove, subject, hold } = await orphanedWorld(1);
    expect(await remove()).toEqual({ holds: 2 });
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
    const { it: world, remove, subject, roles, hold, rule } = await orphanedWorld(1);
    let asked = 0;
    Object.assign(world.job, { askForSweep: () => asked++ });
    await remove();
    expect((await rule(1, 'approved')).kind).toBe('ruled');
    expect((await rule(2, 'rejected')).kind).toBe('ruled');
    // No job has the key.
    expect([asked, world.added]).toEqual([2, []]);
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
    const { it: world, two, remove, hold } = await orphanedWorld(1);
    await remove();
    world.putClients(...two.slice(0, 1));
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
    expect(await remove()).toEqual({ holds: 0 });
    expect(world.decided()).toEqual([]);
    expect([await hold(1), await hold(2)]).not.toContain(undefined);
  });

  it('are left to the job of their client where that holds them', async () => {
    const { it: world, remove, subject, hold } = await orphanedWorld(0);
    await reconcileClientAcl({ provider: 'main', clientId: long(1) }, jobOf(), world.job, never);
    const key = formatKey(clientKey('main', long(1)));
    expect([...(await world.job.journal.read(key)).holds.keys()]).toEqual([`${subject(1)} RevocationLimit`]);
    expect(await remove()).toEqual({ holds: 1 });
    expect(await hold(1)).toBeUndefined();
    expect(await hold(2)).toBeDefined();
  });
});

it('objects stay whose client is read while their removal is being stored', async () => {
  const { it: world, two, remove, subject, roles } = await orphanedWorld(10);
  const { set } = world.job.keyValues;
  Object.assign(world.job, {
    keyValues: {
      ...world.job.keyValues,
      async set(name: string, value: string) {
        world.putClients(...two.slice(0, 1));
        await set(name, value);
      },
    },
  });
  await remove();
  expect(roles().map((name) => `acl-role/${name}`)).toEqual([subject(1)]);
});
