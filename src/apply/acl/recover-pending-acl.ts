import type { AclObject, AclSnapshot } from '../../model/acl.js';
import { canonicalJson } from '../../model/canonical-json.js';
import type { DraftDecision } from '../../model/decision.js';
import { aclSubject, digestObject, nameOf } from '../../plan/acl/acl-change.js';
import { policyOf } from '../../plan/mode.js';
import type { KeyRecord } from '../../queue/journal.js';
import { inFlightMs, type ObservedObject } from '../lost-answers.js';
import { type RecoveredTarget, recoverWrites } from '../recover-writes.js';
import { INTERRUPTED } from '../settle.js';
import { isAclSubject, parseAffectedTokens } from './acl-draft.js';
import type { AclDeps } from './deps.js';
import { countTokens, endedTokensText, endTokens, losingTokensText } from './end-tokens.js';

/** The drafts of ACL writes that a crash or a lost answer left open. */
export function pendingAcl(record: Pick<KeyRecord, 'pending'>): readonly DraftDecision[] {
  return record.pending.filter(({ subject }) => isAclSubject(subject));
}

/**
 * Settles writes that a crash or a lost answer left open, by what Consul has now. ACL objects have no index to compare, so
 * the content decides, and at once: a request that may still arrive can undo later writes, so the key is read again once
 * its time is over (`AclState.noteOnItsWay`).
 *
 * Tokens that a draft should end are ended now. In a mode that ends none, the reaper ends those that live too long, and the
 * next run in mode `enforce` the others, because no plan asks for them. Returns what the key has applied last.
 */
export async function recoverPendingAcl(
  key: string,
  record: KeyRecord,
  actual: AclSnapshot,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const removes = () => policyOf(deps.world.mapping).removes;
  const all = pendingAcl(record);
  const meant = removes() ? all.filter(({ resource }) => resource.kind === 'acl-token') : [];
  const left = removes() ? [] : all.filter(isOfNoPlan);
  const { mode } = deps.world.mapping;
  for (const { subject, id } of left)
    deps.logger.warn(
      { subject, decision: id, mode },
      'tokens that an interrupted run should have ended stay valid until the mode is enforce',
    );
  const existing = bySubject(actual);
  const observed = observedIn(actual);
  const pending = all.filter((draft) => !meant.includes(draft) && !left.includes(draft));
  const target: RecoveredTarget = {
    find: (draft) => {
      if (draft.resource.kind !== 'acl-token') return observed(draft);
      const detail = `scopemesh was interrupted before these tokens ended. In mode ${mode} they stay valid`;
      return { ...INTERRUPTED, detail };
    },
    isImpatient: true,
    // Two writes of one object may both have been made.
    rivalOf: ({ id }) => id,
    detailOf: (draft) => tokensDetail(draft, deps, signal),
    remember: (draft, outcome) => {
      const [object] = existing.get(draft.subject) ?? [];
      if (outcome === 'applied') return object === undefined ? null : digestObject(object);
      const nowMs = deps.clock.now();
      const lateMs = inFlightMs(draft, nowMs);
      if (lateMs > 0) deps.acl.noteOnItsWay(key, nowMs + lateMs);
      return undefined;
    },
  };
  const { lastApplied } = await recoverWrites(key, { ...record, pending }, target, deps);
  for (const draft of meant) await finishTokens(key, draft, removes, deps, signal);
  return lastApplied;
}

/** What a write took from live tokens. The number of tokens of a deleted method is no longer known. */
async function tokensDetail(
  { action, resource, after }: DraftDecision,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (action !== 'revoke' || resource.name === undefined) return undefined;
  if (resource.kind === 'acl-auth-method' && after === null) return endedTokensText(undefined, deps, signal);
  if (resource.kind !== 'acl-role' || after === null) return undefined;
  const count = await countTokens({ role: resource.name }, deps, signal);
  return count === 0 ? undefined : losingTokensText(count, deps, signal);
}

/** The object of a draft, as a read shows it. */
export function observedIn(actual: AclSnapshot): (draft: Pick<DraftDecision, 'subject'>) => ObservedObject {
  const existing = bySubject(actual);
  return ({ subject }) => ({ isNow: (view) => isAsExpected(view, existing.get(subject) ?? []) });
}

function isAsExpected(expected: unknown, now: readonly AclObject[]): boolean {
  if (expected === null || expected === undefined) return now.length === 0;
  const text = canonicalJson(expected);
  return now.some((object) => digestObject(object) === text);
}

/** Whether neither a plan nor the reaper would find the draft's tokens once the object is as desired. */
function isOfNoPlan({ resource, before }: DraftDecision): boolean {
  const meant = resource.kind === 'acl-token' ? parseAffectedTokens(before) : undefined;
  return meant !== undefined && meant.longerThanSeconds === undefined;
}

async function finishTokens(
  key: string,
  draft: DraftDecision,
  isAsPlanned: () => boolean,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<void> {
  const { authMethod, role, longerThanSeconds } = parseAffectedTokens(draft.before) ?? {};
  const filters = authMethod !== undefined ? [{ authMethod }] : role !== undefined ? [{ role }] : [];
  await endTokens({ key, draft, isRecorded: true, filters, longerThanSeconds, isAsPlanned }, deps, signal);
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
