import { inFlightMs } from '../../apply/lost-answers.js';
import { type RecoveredTarget, recoverWrites } from '../../apply/recover-writes.js';
import { INTERRUPTED } from '../../apply/settle.js';
import type { AclSnapshot } from '../../model/acl.js';
import type { DraftDecision } from '../../model/decision.js';
import { policyOf } from '../../plan/mode.js';
import { isOfAnotherOwner } from '../../plan/object-names.js';
import type { KeyRecord } from '../../queue/journal.js';
import { digestObject } from '../plan/acl-change.js';
import { isAclSubject, parseAffectedTokens } from './acl-draft.js';
import type { AclDeps } from './deps.js';
import { countTokens, endedTokensText, endTokens, losingTokensText } from './end-tokens.js';
import { objectsBySubject, observedIn } from './observed-acl.js';

/** Nothing of the present owner reads or ends what an earlier owner had. */
const OF_OTHER_OWNER = {
  outcome: 'unknown',
  reason: 'Interrupted',
  detail:
    'scopemesh was interrupted during this write. The owner has another name since, so nothing plans it again: what Consul has stays as it is',
} as const;

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
 * next run in mode `enforce` the others, because no plan asks for them. `actual` has no objects of an earlier owner, so
 * nothing is known of those. Returns what the key has applied last.
 */
export async function recoverPendingAcl(
  key: string,
  record: KeyRecord,
  actual: AclSnapshot,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const removes = () => policyOf(deps.world.mapping).removes;
  const { mode, owner } = deps.world.mapping;
  const isForeign = ({ resource: { name } }: DraftDecision) =>
    name !== undefined && isOfAnotherOwner(owner, name);
  const all = pendingAcl(record);
  const own = all.filter((draft) => !isForeign(draft));
  const meant = removes() ? own.filter(({ resource }) => resource.kind === 'acl-token') : [];
  const left = removes() ? [] : own.filter(isOfNoPlan);
  for (const { subject, id } of left)
    deps.logger.warn(
      { subject, decision: id, mode },
      'tokens that an interrupted run should have ended stay valid until the mode is enforce',
    );
  const existing = objectsBySubject(actual);
  const observed = observedIn(actual);
  const pending = all.filter((draft) => !meant.includes(draft) && !left.includes(draft));
  const target: RecoveredTarget = {
    find: (draft) => {
      if (isForeign(draft)) return OF_OTHER_OWNER;
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
