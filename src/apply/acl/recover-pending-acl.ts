import type { AclObject, AclSnapshot } from '../../model/acl.js';
import type { DraftDecision } from '../../model/decision.js';
import { aclSubject, canonicalJson, digestObject, nameOf } from '../../plan/acl/acl-change.js';
import { policyOf } from '../../plan/mode.js';
import type { KeyRecord, SettledDecision } from '../../queue/journal.js';
import { onItsWayMs } from '../lost-answers.js';
import { INTERRUPTED, settleAll, toSettled } from '../settle.js';
import { isAclSubject, parseTokensMeant } from './acl-draft.js';
import type { AclDeps } from './deps.js';
import { countTokens, endedTokensText, endTokens, losingTokensText } from './end-tokens.js';

/** The drafts of ACL writes that a crash or a lost answer left open. */
export function pendingAcl(record: Pick<KeyRecord, 'pending'>): readonly DraftDecision[] {
  return record.pending.filter(({ subject }) => isAclSubject(subject));
}

/**
 * Settles writes that a crash or a lost answer left open, by what Consul has now. ACL objects have no index to compare,
 * so the content decides:
 *
 * | the object now | outcome |
 * |---|---|
 * | as the draft wanted it | `applied` |
 * | as it was before | `failed` (`Interrupted`): the request did not arrive, or is still on its way |
 * | anything else | `unknown` |
 *
 * A request that may still arrive can undo later writes, so the key is read again once its time is over
 * (`AclState.noteOnItsWay`). Tokens that a draft should end are ended now. In a mode that ends none, the reaper ends those
 * that live too long, and the next run in mode `enforce` the others, because no plan asks for them. Returns what the key
 * has applied last.
 */
export async function recoverPendingAcl(
  key: string,
  record: KeyRecord,
  actual: AclSnapshot,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { mapping } = deps.world;
  const isLeft = (draft: DraftDecision) => !policyOf(mapping).removes && isOfNoPlan(draft);
  const left = pendingAcl(record).filter(isLeft);
  for (const { subject, id } of left)
    deps.logger.warn(
      { subject, decision: id, mode: mapping.mode },
      'tokens that an interrupted run should have ended stay valid until the mode is enforce',
    );
  const pending = pendingAcl(record).filter((draft) => !isLeft(draft));
  if (pending.length === 0) return record.lastApplied;
  const existing = bySubject(actual);
  const remembered = new Map(record.lastApplied);
  const update = new Map<string, string | null>();
  const decisions: SettledDecision[] = [];
  for (const draft of pending) {
    const decision =
      draft.resource.kind === 'acl-token'
        ? await finishTokens(draft, deps, signal)
        : await judge(draft, existing.get(draft.subject) ?? [], deps, signal);
    decisions.push(decision);
    const nowMs = deps.clock.now();
    const lateMs = decision.outcome === 'applied' ? 0 : onItsWayMs(draft, nowMs);
    if (lateMs > 0) deps.acl.noteOnItsWay(key, nowMs + lateMs);
    if (decision.outcome === 'applied' && draft.resource.kind !== 'acl-token') {
      const [object] = existing.get(draft.subject) ?? [];
      update.set(draft.subject, object === undefined ? null : digestObject(object));
      if (object === undefined) remembered.delete(draft.subject);
      else remembered.set(draft.subject, digestObject(object));
    }
    deps.logger.warn(
      { subject: draft.subject, outcome: decision.outcome, decision: draft.id },
      'settled an ACL write that a crash or a lost answer left open',
    );
  }
  await settleAll(key, decisions, { lastApplied: update }, deps);
  return remembered;
}

async function judge(
  draft: DraftDecision,
  now: readonly AclObject[],
  deps: AclDeps,
  signal: AbortSignal,
): Promise<SettledDecision> {
  const isMade = isAsExpected(draft.after, now);
  const detail = isMade ? await tokensDetail(draft, deps, signal) : {};
  const nowMs = deps.clock.now();
  if (isMade) return toSettled(draft, { outcome: 'applied', ...detail }, nowMs);
  if (isAsExpected(draft.before, now)) return toSettled(draft, INTERRUPTED, nowMs);
  const unknown =
    'scopemesh was interrupted at this write, and the object has changed since: whether it was made cannot be known';
  return toSettled(draft, { outcome: 'unknown', reason: 'Interrupted', detail: unknown }, nowMs);
}

/** What a write took from live tokens. The number of tokens of a deleted method is no longer known. */
async function tokensDetail(
  { action, resource, after }: DraftDecision,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<{ readonly detail?: string }> {
  if (action !== 'revoke' || resource.name === undefined) return {};
  if (resource.kind === 'acl-auth-method' && after === null)
    return { detail: await endedTokensText(undefined, deps, signal) };
  if (resource.kind !== 'acl-role' || after === null) return {};
  const count = await countTokens({ role: resource.name }, deps, signal);
  return count === 0 ? {} : { detail: await losingTokensText(count, deps, signal) };
}

function isAsExpected(expected: unknown, now: readonly AclObject[]): boolean {
  if (expected === null || expected === undefined) return now.length === 0;
  const text = canonicalJson(expected);
  return now.some((object) => digestObject(object) === text);
}

/** Whether neither a plan nor the reaper would find the draft's tokens once the object is as desired. */
function isOfNoPlan({ resource, before }: DraftDecision): boolean {
  const meant = resource.kind === 'acl-token' ? parseTokensMeant(before) : undefined;
  return meant !== undefined && meant.longerThanSeconds === undefined;
}

async function finishTokens(
  draft: DraftDecision,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<SettledDecision> {
  const meant = parseTokensMeant(draft.before);
  const { authMethod, role, longerThanSeconds } = meant ?? {};
  const by = authMethod !== undefined ? { authMethod } : role !== undefined ? { role } : undefined;
  const asked = longerThanSeconds === undefined ? {} : { longerThanSeconds };
  const { mapping } = deps.world;
  if (!policyOf(mapping).removes) {
    const detail = `scopemesh was interrupted before these tokens ended, and mode is ${mapping.mode}: they go on`;
    return toSettled(draft, { ...INTERRUPTED, detail }, deps.clock.now());
  }
  const ended = by === undefined ? 0 : await endTokens({ by, reason: draft.reason, ...asked }, deps, signal);
  const detail = await endedTokensText(ended, deps, signal);
  return toSettled(draft, { outcome: 'applied', detail }, deps.clock.now());
}

function bySubject({ policies, roles, authMethods, bindingRules }: AclSnapshot) {
  const found = new Map<string, AclObject[]>();
  const add = (object: AclObject) => {
    const subject = aclSubject(object.kind, ...nameOf(object));
    found.set(subject, [...(found.get(subject) ?? []), object]);
  };
  for (const { object } of policies) add({ kind: 'acl-policy', object });
  for (const { object } of roles) add({ kind: 'acl-role', object });
  for (const { object } of authMethods) add({ kind: 'acl-auth-method', object });
  for (const { object } of bindingRules) add({ kind: 'acl-binding-rule', object });
  return found;
}
