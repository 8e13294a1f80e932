import { afterEach, describe, expect, it } from 'vitest';
import { clientName } from '../../../src/plan/acl/object-names.js';
import { reconcileClientAcl } from '../../../src/reconcile/acl/client-acl.js';
import { orphanedObjects } from '../../../src/reconcile/acl/orphaned-objects.js';
import { sweep } from '../../../src/reconcile/sweep.js';
import { client } from '../../plan/scene.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { clientOf } from '../../support/daemon.js';
import { startWorker, type Worker } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';
import { aclWorld, jobOf } from './acl-world.js';

const never = new AbortController().signal;

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

it('objects stay whose client is read while their removal is being stored', async () => {
  const it = aclWorld({ mapping: { maxRevocations: { percent: 100, atLeast: 10, windowMs: 600_000 } } });
  const two = [1, 2].map((at) => ({ ...client('web', ['config:read']), clientId: long(at) }));
  it.putClients(...two);
  for (const { clientId } of two)
    await reconcileClientAcl({ provider: 'main', clientId }, jobOf(), it.job, never);
  it.putClients();
  const keyValues: typeof it.job.keyValues = {
    ...it.job.keyValues,
    async set(name, value) {
      it.putClients(...two.slice(0, 1));
      await it.job.keyValues.set(name, value);
    },
  };
  const changes = await orphanedObjects({ ...it.job, keyValues });
  const names = (at: number) => clientName('pay', { provider: 'main', clientId: long(at) }).toLowerCase();
  const text = JSON.stringify(changes);
  expect([text.includes(names(1)), text.includes(names(2))]).toEqual([false, true]);
});
