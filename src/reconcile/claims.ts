import { isAclSubject } from '../apply/acl/acl-draft.js';
import { recoverPendingClaims, writeClaim } from '../apply/claim-records.js';
import { recordHolds } from '../apply/record-holds.js';
import { isoInstant } from '../clock.js';
import type { ClaimWrite } from '../consul/consul.js';
import { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import type { ServiceName } from '../model/intention.js';
import { clientKey, formatKey } from '../model/key.js';
import type { ClaimChange } from '../plan/claim-changes.js';
import { policyOf } from '../plan/mode.js';
import type { ClientPlan } from '../plan/plan-client.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import { planClaims } from '../state/client-claims.js';
import { claimStatusTriggers } from '../state/observe-consul.js';
import type { Touched } from '../state/touched.js';
import type { ClaimDeps } from './deps.js';

/** So often a claim is planned again at once because it changed while its write was recorded. */
const MOST_PLANS = 2;
const KEEPS_CHANGING = 'the claims on this client change while their record is written; it is planned again';

/**
 * Creates or deletes the record of a claim (`claims: first`), and records the holds of claims on this client. True if the
 * status of a claim on this client changed. `isShown`: whether the plan that a person confirmed has this change. Others wait.
 */
export async function settleClaims(
  id: ClientId,
  cause: Cause,
  deps: ClaimDeps,
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
  let isChanged = false;
  const onTouched = ({ claimStatuses }: Touched) => {
    const seen: Cause = { kind: 'consul-watch', receivedAt: isoInstant(deps.clock) };
    const own = claimStatuses.filter(isOwn);
    const others = claimStatuses.filter((each) => !isOwn(each));
    isChanged ||= own.length > 0;
    return deps.queue.add(
      [
        ...claimStatusTriggers(world, { claimStatuses: own }, cause),
        ...claimStatusTriggers(world, { claimStatuses: others }, seen),
      ].filter(({ key }) => formatKey(key) !== text),
    );
  };
  const settle = async (record: KeyRecord, overtaken: readonly DraftDecision[]) => {
    const now = deps.clock.now();
    const { mapping } = world;
    const whole = planClaims(id, world, now);
    const plan = { ...whole, ...shownOf(whole, id, isShown) };
    const isAsPlanned = (write: ClaimWrite) => {
      if (world.mapping !== mapping) return false;
      const { create, remove } = planClaims(id, world, deps.clock.now());
      return isSame(write, write.do === 'create' ? create : remove?.service);
    };
    await recordHolds(text, record, plan.holds, cause, deps, (subject) => !isAclSubject(subject));
    const end = await writeClaim(text, id, plan, overtaken, cause, onTouched, deps, signal, isAsPlanned);
    return { end, isFreed: end !== 'stale' && plan.remove !== undefined && policyOf(mapping).removes };
  };
  let record = await journal.read(text);
  let overtaken = await recoverPendingClaims(text, record, onTouched, deps, signal);
  let wasFreed = false;
  for (let again = 0; ; record = await journal.read(text)) {
    const { end, isFreed } = await settle(record, overtaken);
    if (end === 'stale') {
      if (++again > MOST_PLANS)
        throw new SyncError('ERR_CONSUL_CONFLICT', KEEPS_CHANGING, { retriable: true });
      continue;
    }
    // The client is free for another service that claims it. Nothing else starts this job again for that.
    if (!isFreed || wasFreed) return isChanged;
    wasFreed = true;
    // Only the next run can judge a write whose answer was lost before this one.
    overtaken = [];
  }
}

function isSame({ record }: ClaimWrite, service: ServiceName | undefined): boolean {
  return service !== undefined && serviceText(service) === serviceText(record.service);
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
