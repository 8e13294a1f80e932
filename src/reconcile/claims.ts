import { isAclSubject } from '../apply/acl/acl-draft.js';
import { writeClaims } from '../apply/claim-records.js';
import { recordHolds } from '../apply/record-holds.js';
import { recoverPendingClaims } from '../apply/recover-pending.js';
import { isoInstant } from '../clock.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import { clientKey, formatKey } from '../model/key.js';
import { policyOf } from '../plan/mode.js';
import { type ClientPlan, planClient } from '../plan/plan-client.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import { claimStatusTriggers } from '../state/observe-consul.js';
import type { Touched } from '../state/touched.js';
import type { ReconcilerDeps } from './deps.js';
import type { ClaimChange } from './fleet-plan.js';

/**
 * Creates or deletes the record of a claim (`claims: first`), and records the holds of claims on this client. True if the
 * status of a claim may have changed. `isShown`: whether the plan that a person confirmed has this change. Others wait.
 */
export async function settleClaims(
  id: ClientId,
  cause: Cause,
  deps: ReconcilerDeps,
  signal: AbortSignal,
  isShown: (change: ClaimChange) => boolean = () => true,
): Promise<boolean> {
  const { world, journal } = deps;
  const text = formatKey(clientKey(id.provider, id.clientId));
  const isOwn = ({ before, after }: Touched['claimStatuses'][number]) =>
    [before, after].some(
      (each) => each !== undefined && each.kind !== 'none' && clientText(each.client) === clientText(id),
    );
  // The list may show changed records of other clients, whose jobs nothing else would start. This job is not their cause.
  const onTouched = ({ claimStatuses }: Touched) => {
    const seen: Cause = { kind: 'consul-watch', receivedAt: isoInstant(deps.clock) };
    const others = claimStatuses.filter((each) => !isOwn(each));
    return deps.queue.add(
      [
        ...claimStatusTriggers(world, { claimStatuses: claimStatuses.filter(isOwn) }, cause),
        ...claimStatusTriggers(world, { claimStatuses: others }, seen),
      ].filter(({ key }) => formatKey(key) !== text),
    );
  };
  const settle = async (record: KeyRecord, overtaken: readonly DraftDecision[]) => {
    const now = deps.clock.now();
    const whole = planClient(id, world.view(now), world.claimsOn(id, now), world.mapping);
    const plan = { ...whole, ...shownOf(whole, id, isShown) };
    await recordHolds(text, record, plan.holds, cause, deps, (subject) => !isAclSubject(subject));
    const isAny = await writeClaims(text, id, plan, overtaken, cause, onTouched, deps, signal);
    return { isAny, isFreed: isAny && plan.remove !== undefined && policyOf(world.mapping).removes };
  };
  const record = await journal.read(text);
  const overtaken = await recoverPendingClaims(text, record, onTouched, deps, signal);
  const { isAny, isFreed } = await settle(record, overtaken);
  // The client is free for another service that claims it. Nothing else starts this job again for that.
  if (isFreed) await settle(await journal.read(text), []);
  return isAny;
}

function shownOf(
  { create, remove }: ClientPlan,
  client: ClientId,
  isShown: (change: ClaimChange) => boolean,
): Pick<ClientPlan, 'create' | 'remove'> {
  const isMade = create !== undefined && isShown({ client, service: create, verb: 'created' });
  const isRemoved = remove !== undefined && isShown({ client, service: remove.service, verb: 'deleted' });
  return { create: isMade ? create : undefined, remove: isRemoved ? remove : undefined };
}
