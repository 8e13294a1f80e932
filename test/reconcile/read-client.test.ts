import { expect, it } from 'vitest';
import { aclDraftOf } from '../../src/acl/apply/acl-request.js';
import { Stopped } from '../../src/errors.js';
import type { Directory } from '../../src/identity/directory.js';
import { clientKey, formatKey } from '../../src/model/key.js';
import { ClientReach } from '../../src/reconcile/client-reach.js';
import { readClient } from '../../src/reconcile/read-client.js';
import { failed, gain, role } from '../acl/apply/memory-acl.js';
import { aclWorld, ID, jobOf } from '../acl/job/acl-world.js';
import { CAUSE, NEVER } from '../apply/apply-rig.js';
import { UNREACHABLE } from './deps.js';

/** The directory ends the read with an error, while an ACL write has no answer and Consul gives none. */
async function readThatEndsWith(error: Error): Promise<unknown> {
  const it = aclWorld();
  const draft = aclDraftOf(gain.create(role()), CAUSE, it.job);
  await it.job.journal.record(formatKey(clientKey(ID.provider, ID.clientId)), [draft]);
  it.before = () => Promise.reject(failed('ERR_CONSUL_UNREACHABLE', 'Consul is down'));
  const refuse = () => Promise.reject(error);
  const directory: Directory = { provider: 'main', read: refuse, readAll: refuse, close: async () => {} };
  const job = jobOf();
  return readClient(ID, job, directory, new ClientReach(ID, job, it.job), it.job, NEVER);
}

it('a read that a stop ends is a stop, although Consul cannot say what became of an ACL write', async () => {
  const stopped = new Stopped('the read ended because the leader stops');
  await expect(readThatEndsWith(stopped)).rejects.toBe(stopped);
});

it('a read that fails ends with what Consul answers about an ACL write', async () => {
  await expect(readThatEndsWith(UNREACHABLE)).rejects.toThrow('Consul is down');
});
