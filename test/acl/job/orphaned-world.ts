import { reconcileClientAcl } from '../../../src/acl/job/client-acl.js';
import { removeLeft } from '../../../src/acl/job/remove-left.js';
import { clientKey, formatKey, leftObjectsKey } from '../../../src/model/key.js';
import type { Mapping } from '../../../src/model/rule.js';
import type { Trigger } from '../../../src/model/trigger.js';
import { ruleOnHold } from '../../../src/operator/approvals.js';
import { clientName } from '../../../src/plan/object-names.js';
import { CAUSE } from '../../apply/apply-rig.js';
import { client } from '../../plan/scene.js';
import { aclWorld, jobOf } from './acl-world.js';

const never = new AbortController().signal;

/** A Description has no room for it. */
export const long = (at: number) => `client ${at} ${'ß'.repeat(120)}`;
const idOf = (at: number) => ({ provider: 'main', clientId: long(at) });

/** Objects of clients that no Description names, which no read shows any more. */
export async function orphanedWorld(atLeast: number, count = 2, mapping: Partial<Mapping> = {}) {
  const it = aclWorld({
    mapping: { maxRevocations: { percent: 0, atLeast, windowMs: 600_000 }, ...mapping },
  });
  const clients = Array.from({ length: count }, (_, at) => ({
    ...client('web', ['config:read']),
    clientId: long(at + 1),
  }));
  for (const name of mapping.providers ?? []) it.world.putDirectory(name, [], it.world.beginRead(), it.nowMs);
  it.putClients(...clients);
  for (const { provider, clientId } of clients)
    await reconcileClientAcl({ provider, clientId }, jobOf(), it.job, never);
  it.putClients();
  it.forget();
  const asked = { times: 0 };
  Object.assign(it.job, { askForSweep: () => asked.times++ });
  const subject = (at: number) => `acl-role/${clientName('pay', idOf(at))}`;
  const holdOf = async (key: string, at: number) =>
    (await it.job.journal.read(key)).holds.get(`${subject(at)} RevocationLimit`);
  const hold = (at: number) => holdOf(leftObjectsKey('pay'), at);
  return {
    it,
    /** The clients, to be read again. */
    clients,
    /** How often a complete comparison was asked for. */
    asked,
    subject,
    hold,
    ownHold: (at: number) => holdOf(formatKey(clientKey('main', long(at))), at),
    ownHolds: async (at: number) => (await it.job.journal.read(formatKey(clientKey('main', long(at))))).holds,
    roles: () =>
      [...it.objects.values()].flatMap((each) => (each.kind === 'acl-role' ? each.object.name : [])),
    remove: () => removeLeft([], CAUSE, it.job, never),
    /** The job of a client. */
    run: (at: number, trigger: Partial<Trigger> = {}) =>
      reconcileClientAcl(idOf(at), jobOf([trigger]), it.job, never),
    rule: async (at: number, verdict: 'approved' | 'rejected') =>
      ruleOnHold((await hold(at))?.decisionId ?? '', verdict, { id: 'ann' }, it.job),
  };
}

export type OrphanedWorld = Awaited<ReturnType<typeof orphanedWorld>>;
