import { afterEach, describe, expect, it } from 'vitest';
import { sweep } from '../../../src/reconcile/sweep.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import { clientOf } from '../../support/daemon.js';
import { startWorker, type Worker } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

const never = new AbortController().signal;

let rig: AclRig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

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
