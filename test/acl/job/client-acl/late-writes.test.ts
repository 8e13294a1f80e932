import { afterEach, expect, it } from 'vitest';
import { SyncError } from '../../../../src/errors.js';
import { clientKey } from '../../../../src/model/key.js';
import { type AclRig, createAclRig } from '../../../support/acl-rig.js';
import { clientOf } from '../../../support/daemon.js';
import { startWorker, type Worker, withAcl } from '../../../support/reconcile-rig.js';
import { until } from '../../../support/until.js';

const never = new AbortController().signal;
/** Longer than any request is on its way. */
const OVER_MS = 60_000;

let rig: AclRig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

it('an auth method that a late request creates after its client lost everything is removed without another trigger', async () => {
  rig = await createAclRig({ clients: [clientOf('web', 'config:read')] });
  let arrive: (() => Promise<unknown>) | undefined;
  let timeOut = () => {};
  const timedOut = new Promise<void>((resolve) => {
    timeOut = resolve;
  });
  worker = await startWorker(rig, (consul) =>
    withAcl(consul, ({ write }) => ({
      write: async (id, object, signal, options) => {
        if (object.kind !== 'acl-auth-method' || arrive !== undefined)
          return write(id, object, signal, options);
        arrive = () => write(id, object, never, options);
        await timedOut;
        throw new SyncError('ERR_TIMEOUT', 'no whole answer within 5000 ms', { retriable: true });
      },
    })),
  );
  await until('the first write', () => arrive !== undefined);
  rig.idp.put('web-app');
  await worker.add(clientKey('main', 'web-app'), 'webhook', { urgent: true });
  timeOut();
  await until('the removal of the role', async () => {
    rig.clock.advance(100);
    return (await rig.objects('roles')).length === 0;
  });
  await until('a job that waits', async () => {
    const { waiting, active } = await worker.store.queue.state();
    return waiting + active === 0;
  });
  await arrive?.();
  expect(await rig.objects('auth-methods')).toHaveLength(1);
  rig.clock.advance(OVER_MS);
  await until('the removal of the method', async () => (await rig.objects('auth-methods')).length === 0);
  await worker.idle();
});
