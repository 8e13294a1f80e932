import { isAclSubject } from '../apply/acl/acl-draft.js';
import { writeClaims } from '../apply/claim-records.js';
import { recoverPendingClaims } from '../apply/recover-pending.js';
import type { Cause } from '../model/cause.js';
import { clientKey, formatKey } from '../model/key.js';
import { planClient } from '../plan/plan-client.js';
import type { ClientId } from '../plan/world.js';
import { claimStatusTriggers } from '../state/observe-consul.js';
import type { Touched } from '../state/touched.js';
import type { ReconcilerDeps } from './deps.js';
import { recordHolds } from './holds.js';

/**
 * Creates or deletes the record of a claim (`claims: first`), and records the holds of claims on this client. True if the
 * status of a claim may have changed.
 */
export async function settleClaims(
  id: ClientId,
  cause: Cause,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { world, journal } = deps;
  const text = formatKey(clientKey(id.provider, id.clientId));
  const record = await journal.read(text);
  // The list may show changed records of other clients, whose jobs nothing else would start.
  const onTouched = (touched: Touched) =>
    deps.queue.add(claimStatusTriggers(world, touched, cause).filter(({ key }) => formatKey(key) !== text));
  const overtaken = await recoverPendingClaims(text, record, onTouched, deps, signal);
  const now = deps.clock.now();
  const plan = planClient(id, world.view(now), world.claimsOn(id, now), world.mapping);
  await recordHolds(text, record, plan.holds, cause, deps, (subject) => !isAclSubject(subject));
  return writeClaims(text, id, plan, overtaken, cause, onTouched, deps, signal);
}
