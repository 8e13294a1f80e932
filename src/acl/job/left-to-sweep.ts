import { leftObjectsKey } from '../../model/key.js';
import { isApprovable } from '../../plan/holds.js';
import { clientName } from '../../plan/object-names.js';
import type { ClientId } from '../../plan/world.js';
import type { KeyRecord } from '../../queue/journal.js';
import type { ClientAclDeps } from '../../reconcile/deps.js';
import { needsAclObjects } from '../apply/acl-state.js';
import { ownersOf } from '../state/acl-owners.js';
import { isStillOrphaned } from '../state/orphaned-acl.js';
import type { ClientAclPlan } from '../state/plan-client-acl.js';

/**
 * Whether the complete comparison removes a client's objects, and not its job. No Description names the client and nobody
 * knows it, so the comparison finds the same objects, and one loss has one owner: two would hold and count it twice, and a
 * ruling on one hold would not bind the other. The job keeps what the identity provider itself reported, and what it holds.
 *
 * Asks for a comparison unless one has held the objects already, or the next one in its turn is enough.
 */
export async function isLeftToSweep(
  id: ClientId,
  { subject, changes, holds }: ClientAclPlan,
  record: KeyRecord,
  deps: ClientAclDeps,
): Promise<boolean> {
  const { world, acl, journal } = deps;
  const { owner } = world.mapping;
  if (world.client(id) !== undefined || world.clientBlock(id) !== undefined) return false;
  ownersOf(deps);
  const name = clientName(owner, id).toLowerCase();
  if (!acl.owners.unnamed.has(name)) return false;
  if (changes.some(({ narrows, isInferred }) => narrows && !isInferred) || holdsLoss(record, subject))
    return false;
  const left = await journal.read(leftObjectsKey(owner));
  // It stays with the comparison also while another directory is unread.
  if (!holdsLoss(left, subject) && !isStillOrphaned(name, deps)) return false;
  const planned = new Set([subject, ...[...changes, ...holds].map((each) => each.subject)]);
  const isHeld = [...left.holds.values()].some((hold) => planned.has(hold.subject));
  // The comparison of objects that the mapping no longer wants tolerates a refusal, so each would lead to the next.
  if (!isHeld && needsAclObjects(world.mapping)) deps.askForSweep();
  return true;
}

function holdsLoss({ holds }: KeyRecord, subject: string): boolean {
  return [...holds.values()].some((hold) => hold.subject === subject && isApprovable(hold.reason));
}
