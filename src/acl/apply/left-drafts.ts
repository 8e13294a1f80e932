import type { AclSnapshot } from '../../model/acl.js';
import { clientKey, formatKey, leftObjectsKey } from '../../model/key.js';
import { clientName, hasHash } from '../../plan/object-names.js';
import type { ClientId } from '../../plan/world.js';
import type { KeyRecord } from '../../queue/journal.js';
import { firstNameIn } from '../plan/acl-change.js';
import type { AclDeps } from './deps.js';
import { type ForgetDeps, forgetRemoved } from './forget-removed.js';
import { pendingAcl, recoverPendingAcl } from './recover-pending-acl.js';

/**
 * What the complete comparison left open of one client's objects: removals whose answer was lost. It removes only objects
 * whose name has a hash. Their mutex must be held, or a draft may be of a removal that is under way. Drafts about
 * tokens stay with the comparison: tokens that cannot be ended must not delay the removal of the objects.
 */
export async function readLeftDrafts(
  id: ClientId,
  { journal, world }: Pick<AclDeps, 'journal' | 'world'>,
): Promise<KeyRecord | undefined> {
  const name = clientName(world.mapping.owner, id).toLowerCase();
  if (!hasHash(name)) return undefined;
  const record = await journal.read(leftObjectsKey(world.mapping.owner));
  const pending = pendingAcl(record).filter(
    ({ resource }) =>
      resource.kind !== 'acl-policy' &&
      resource.kind !== 'acl-token' &&
      resource.name !== undefined &&
      firstNameIn(resource.name).toLowerCase() === name,
  );
  return pending.length === 0 ? undefined : { ...record, pending };
}

/**
 * Settles them before the job of the client plans: if both removed an object, one removal would have two decisions. A
 * request that may still arrive can also undo what this job writes. If a removal left nothing, the client forgets what it
 * wrote. Resolves with what it has applied last.
 */
export async function settleLeftDrafts(
  left: KeyRecord,
  id: ClientId,
  actual: AclSnapshot,
  deps: ForgetDeps & AclDeps,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { mapping } = deps.world;
  const leftKey = leftObjectsKey(mapping.owner);
  await recoverPendingAcl(leftKey, left, actual, deps, signal);
  const key = formatKey(clientKey(id.provider, id.clientId));
  const now = deps.clock.now();
  const lateMs = deps.acl.inFlightMs(leftKey, now);
  if (lateMs > 0) deps.acl.noteOnItsWay(key, now + lateMs);
  await forgetRemoved(clientName(mapping.owner, id).toLowerCase(), id, deps);
  return (await deps.journal.read(key)).lastApplied;
}
