import { isAclSubject } from '../acl/apply/acl-draft.js';
import { recoverPendingClaims, writeClaim } from '../apply/claim-records.js';
import { recordHolds } from '../apply/record-holds.js';
import { isoInstant } from '../clock.js';
import { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import { clientKey, formatKey } from '../model/key.js';
import { type ClaimChange, claimChangeText, guardableClaims } from '../plan/claim-changes.js';
import { guard } from '../plan/guards/guards.js';
import { policyOf } from '../plan/mode.js';
import type { ClientPlan } from '../plan/plan-client.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import { planClaims } from '../state/client-claims.js';
import { claimStatusTriggers } from '../state/observe-consul.js';
import type { Touched } from '../state/touched.js';
import type { ClaimDeps } from './deps.js';
import { guardFacts } from './guard-facts.js';

/** So often a claim is planned again at once because it changed while its write was recorded. */
const MAX_PLANS = 2;
/** A deletion and a creation; each is followed by another plan. */
const MAX_WRITES = 2;
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
    const { mapping } = world;
    const plan = planClaims(id, world, deps.clock.now());
    const planned = (each: ClientPlan) => guardableClaims(each, policyOf(mapping));
    const { changes, holds } = guard(planned(plan), await guardFacts([], record.holds, deps, [{ cause }]));
    const concerns = (subject: string) => !isAclSubject(subject);
    // Anyone who registers a service can make forbidden records without end, and each opens nothing: no hold says so.
    const guarded = holds.filter(({ reason }) => reason !== 'ModeForbids');
    await recordHolds(text, record, [...plan.holds, ...guarded], cause, deps, concerns);
    // There is one at most: a plan creates a record only where none exists.
    const change = changes.find(isShown);
    if (change === undefined) return 'unplanned';
    const isAsPlanned = () => {
      if (world.mapping !== mapping) return false;
      const { changes: still } = planned(planClaims(id, world, deps.clock.now())).plan;
      return still.some((each) => claimChangeText(each) === claimChangeText(change));
    };
    return writeClaim(text, change, overtaken, cause, onTouched, deps, signal, isAsPlanned);
  };
  let record = await journal.read(text);
  let overtaken = await recoverPendingClaims(text, record, onTouched, deps, signal);
  for (let again = 0, writes = 0; ; record = await journal.read(text)) {
    const end = await settle(record, overtaken);
    if (end === 'stale') {
      if (++again > MAX_PLANS)
        throw new SyncError('ERR_CONSUL_CONFLICT', KEEPS_CHANGING, { retriable: true });
      continue;
    }
    // A deletion frees the client for another service that claims it, and a new record refuses the others, which is a hold
    // of theirs. Nothing else starts this job again for that.
    if (end === 'unplanned' || ++writes > MAX_WRITES) return isChanged;
    // Only the next run can judge a write whose answer was lost before this one.
    overtaken = [];
  }
}
