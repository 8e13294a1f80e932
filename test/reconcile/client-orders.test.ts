import { expect, it } from 'vitest';
import { Stopped } from '../../src/errors.js';
import { clientKey } from '../../src/model/key.js';
import { readAllAcl } from '../../src/read/read-acl.js';
import { carryOutOrders, closeLogins } from '../../src/reconcile/client-orders.js';
import { ClientReach } from '../../src/reconcile/client-reach.js';
import { method } from '../acl/apply/memory-acl.js';
import { aclWorld, ID } from '../acl/job/acl-world.js';
import { CAUSE, NEVER } from '../apply/apply-rig.js';

const key = clientKey(ID.provider, ID.clientId);
const JOB = { key, triggers: [{ key, cause: CAUSE }], attempts: 0 };

/** A client with objects to write, each of which meets the error while it waits for its place. */
function failing(error: Error) {
  const acl = aclWorld();
  const deps = { ...acl.job, writePlaces: { run: () => Promise.reject(error) } };
  return { acl, closing: closeLogins(ID, JOB, deps, NEVER) };
}

it('a failure to close the logins of a client is logged, and does not end the job', async () => {
  const { acl, closing } = failing(new Error('no place'));
  await closing;
  expect(acl.warnings).toEqual([expect.stringContaining('not closed yet')]);
});

it('a stop while the logins of a client are closed ends the job, and is no failure', async () => {
  const { acl, closing } = failing(new Stopped('the write waits for the next leader'));
  await expect(closing).rejects.toThrow(Stopped);
  expect(acl.warnings).toEqual([]);
});

it('a stop while the logins of a compromised client are closed keeps its quarantine in KV', async () => {
  const acl = aclWorld();
  const { job: deps } = acl;
  acl.put(method());
  await readAllAcl(deps, NEVER);
  const at = CAUSE.receivedAt;
  const order = { kind: 'secret-compromised' as const, ...ID, at, cause: CAUSE };
  const job = { key, triggers: [{ key, cause: CAUSE, urgent: true, order }], attempts: 0 };
  const stopping = {
    ...deps,
    writePlaces: { run: () => Promise.reject(new Stopped('the write waits for the next leader')) },
  };
  const carrying = carryOutOrders(ID, job, new ClientReach(ID, job, stopping), stopping, NEVER);
  await expect(carrying).rejects.toThrow(Stopped);
  expect(await deps.consul.quarantines.list(NEVER)).toMatchObject([ID]);
});
