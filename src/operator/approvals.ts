import { z } from 'zod';
import { whyUndecided } from '../acl/state/orphaned-acl.js';
import { isoInstant } from '../clock.js';
import { type Principal, principalText } from '../model/cause.js';
import { definedFields } from '../model/defined-fields.js';
import { leftObjectsKey, parseKey } from '../model/key.js';
import { plainDecision } from '../model/plain-decision.js';
import type { Loss, Rejection, Ruling } from '../plan/guards/guard.js';
import { endedHold, fingerprintOf, holdKey, isApprovable } from '../plan/holds.js';
import type { Hold } from '../plan/plan.js';
import type { KeyRecord, RecordedHold } from '../queue/journal.js';
import { type OperatorDeps, stampOf } from './deps.js';
import { type ApprovalDeps, countApproval, forgetFirstApproval, sameText } from './first-approvals.js';
import { type RulingStore, recordRuling, rulingsOfSubjects } from './ruling-store.js';
import { StoredPrincipal } from './stored-principal.js';

/** A ruling on one removal, which its fingerprint identifies. */
const Stored = z.object({
  subject: z.string(),
  verdict: z.enum(['approved', 'rejected']),
  by: StoredPrincipal,
  at: z.string(),
  fingerprint: z.string(),
  /** ID of the `held` decision. A hold that ended and began again has another one. */
  decisionId: z.string(),
});
type StoredRuling = z.infer<typeof Stored>;

const VERDICTS = rulingsOfSubjects('verdict', Stored);

export type RulingResult =
  /** `waits`: why the approval has no effect yet. */
  | { readonly kind: 'ruled'; readonly hold: Pick<RecordedHold, 'subject'>; readonly waits?: string }
  /** No hold has this ID, or it has ended. */
  | { readonly kind: 'unknown' }
  /** A person cannot release a hold with this reason. */
  | { readonly kind: 'unsuitable'; readonly hold: RecordedHold }
  /** A person rejected it, and the approval does not override that. */
  | { readonly kind: 'rejected'; readonly hold: RecordedHold; readonly rejection: Rejection }
  /** The approval is recorded, and another person must approve too. */
  | { readonly kind: 'first'; readonly hold: Pick<RecordedHold, 'subject'> }
  /** What it names cannot be approved or rejected now, or not by this person. */
  | { readonly kind: 'refused'; readonly why: string };

/**
 * Rules on a hold by the ID of its `held` decision. Only holds of the mass guard and of edges without a record wait for a
 * person; all others end when their cause is fixed. The key is queued; for objects that no job removes, the complete
 * comparison begins. The next plan makes an approved removal once. It holds a rejected one until the access is wanted
 * again, the removal is another one, or the identity provider reports it. An approval of what was rejected needs
 * `override`.
 */
export async function ruleOnHold(
  decisionId: string,
  verdict: Ruling['verdict'],
  by: Principal,
  deps: ApprovalDeps & Pick<OperatorDeps, 'acl' | 'queue' | 'askForSweep'>,
  override = false,
): Promise<RulingResult> {
  const { holds } = await deps.journal.overview();
  const hold = holds.find((each) => each.decisionId === decisionId);
  if (hold === undefined) return { kind: 'unknown' };
  const key = parseKey(hold.key);
  const isLeft = hold.key === leftObjectsKey(deps.world.mapping.owner);
  if (!isApprovable(hold.reason) || (key === undefined && !isLeft)) return { kind: 'unsuitable', hold };
  // What the mapping must not open is taken out of the mapping.
  if (hold.reason === 'MappingDiffers' && verdict === 'rejected') return { kind: 'unsuitable', hold };
  if (verdict === 'approved' && !override) {
    const rejection = await rejectionOf(hold, deps);
    if (rejection !== undefined) return { kind: 'rejected', hold, rejection };
  }
  if (verdict === 'approved') {
    const approved = { subject: hold.subject, of: identityOf(hold), resource: endedHold(hold).resource };
    const approval = await countApproval(approved, by, deps);
    if (approval.kind === 'first') return { kind: 'first', hold };
    if (approval.kind === 'same') return { kind: 'refused', why: sameText(approval.by) };
  }
  await forgetFirstApproval(hold.subject, deps);
  const at = isoInstant(deps.clock);
  const cause = { kind: 'command' as const, receivedAt: at };
  const rejected = () =>
    plainDecision(
      {
        resource: endedHold(hold).resource,
        verb: 'rejected',
        subject: hold.subject,
        outcome: 'refused',
        reason: hold.reason,
        cause: { ...cause, principal: by },
        detail: `${principalText(by)} rejected this removal; the edge stays as it is`,
      },
      stampOf(deps),
    );
  const { subject, fingerprint } = hold;
  const change = verdict === 'rejected' ? { decision: rejected() } : {};
  await recordRuling(VERDICTS, { subject, verdict, fingerprint, decisionId, by, at }, change, deps);
  if (key === undefined) deps.askForSweep();
  // Without the person, who did not decide about the other changes of the key's plan.
  else await deps.queue.add([{ key, cause, urgent: true }]);
  const waits = isLeft && verdict === 'approved' ? whyUndecided(hold.subject, deps) : undefined;
  return { kind: 'ruled', hold, ...definedFields({ waits }) };
}

/** What identifies a hold for an approval: a hold that ended and began again is another one. */
export function identityOf({ decisionId, fingerprint }: RecordedHold): string {
  return `${decisionId} ${fingerprint}`;
}

/** Restores the rejections before the first job, because the mass guard counts the whole fleet. */
export async function restoreRejections(
  deps: RulingStore & Pick<OperatorDeps, 'journal' | 'window'>,
): Promise<void> {
  const byKey = new Map<string, Map<string, Rejection>>();
  for (const hold of (await deps.journal.overview()).holds) {
    const { key, subject } = hold;
    const rejection = await rejectionOf(hold, deps);
    if (rejection !== undefined) byKey.set(key, (byKey.get(key) ?? new Map()).set(subject, rejection));
  }
  for (const [key, rejections] of byKey) deps.window.rejections.put(key, rejections);
}

/** The rejection of exactly this hold; undefined if nobody rejected it. */
async function rejectionOf(
  { subject, reason, decisionId, fingerprint }: RecordedHold,
  store: RulingStore,
): Promise<Rejection | undefined> {
  if (!isApprovable(reason)) return undefined;
  const ruling = await VERDICTS.read(subject, store);
  if (ruling?.verdict !== 'rejected') return undefined;
  return ruling.decisionId === decisionId && ruling.fingerprint === fingerprint ? ruling : undefined;
}

/** An approval is valid for one removal. */
export async function forgetRulings(
  used: readonly Hold[],
  deps: RulingStore & Pick<OperatorDeps, 'metrics' | 'onSettled'>,
): Promise<void> {
  for (const { subject } of used) await VERDICTS.forget(subject, deps);
}

/** The rulings on held losses, by subject. */
export async function rulingsOn(
  losses: readonly Loss[],
  recordedHolds: KeyRecord['holds'],
  store: RulingStore,
): Promise<ReadonlyMap<string, Ruling>> {
  const rulings = new Map<string, Ruling>();
  for (const { subject, hold } of losses) {
    const recorded = recordedHolds.get(holdKey(hold));
    const ruling = recorded && (await VERDICTS.read(subject, store));
    // The ruling must be about this hold: a hold that ended and began again is another one.
    if (ruling?.decisionId === recorded?.decisionId && ruling?.fingerprint === fingerprintOf(hold))
      rulings.set(subject, ruling);
  }
  return rulings;
}

/** The approvals of these holds. Each is valid for exactly what it approved. */
export async function approvalsOf(
  held: readonly RecordedHold[],
  store: RulingStore,
): Promise<(hold: Hold) => Principal | undefined> {
  const approved = new Map<string, StoredRuling>();
  for (const { subject, decisionId } of held) {
    const ruling = await VERDICTS.read(subject, store);
    if (ruling?.verdict === 'approved' && ruling.decisionId === decisionId) approved.set(subject, ruling);
  }
  return (hold) => {
    const ruling = approved.get(hold.subject);
    return ruling?.fingerprint === fingerprintOf(hold) ? ruling?.by : undefined;
  };
}
