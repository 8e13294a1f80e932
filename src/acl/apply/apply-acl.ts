import { type JournaledRequest, journaledWrite, withdraw } from '../../apply/journaled-write.js';
import type { DraftDecision } from '../../model/decision.js';
import { type AclChange, nameOf } from '../plan/acl-change.js';
import { tokensToEnd } from '../plan/tokens.js';
import { type AclContext, aclDraftOf, aclRequest } from './acl-request.js';
import type { AclDeps } from './deps.js';
import { endTokens } from './end-tokens.js';
import { fetchesKeys } from './key-fetches.js';
import { isOfOneObject } from './refusals.js';

export interface AclApplication extends AclContext {
  /** `formatKey` text, or another key of the journal. */
  readonly key: string;
  /** Made in this order. */
  readonly changes: readonly AclChange[];
  /**
   * Called once: in the turn in which the last narrowing change is made, or has failed, and at the latest at the end.
   * `isMade` if one of them took something, or may have: Consul did not refuse it, and the answer or its record is missing.
   */
  readonly narrowed?: (isMade: boolean) => void;
}

interface Run extends AclApplication {
  /** Call it after a request that took something, or may have. */
  readonly noteLoss: () => void;
}

/** `stale`: no longer as planned, so nothing was sent. */
type ChangeEnd = 'done' | 'stale';

/** The draft of a later step about tokens, which the write that leaves them records. */
interface TokenDraft {
  readonly draft: DraftDecision;
  /** Once that write was sent. A write that was not sent takes its record back. */
  isRecorded: boolean;
}

/**
 * Makes the changes in their order. Each is recorded before and settled after it; consecutive writes that do not narrow
 * share both steps. Each waits for its place; up to the last narrowing change it is urgent. A failure stops all later
 * widening changes, but no narrowing one. Then the first failure is thrown. An error that leaves open whether a write was
 * made leaves its draft pending: the next run of the key judges it.
 *
 * An auth method that cannot be narrowed, because Consul does not get the identity provider's keys, is deleted.
 *
 * Resolves with `stale` if a change was no longer as planned. Then only narrowing changes are made after it, and the caller
 * must plan again.
 */
export async function applyAcl(
  application: AclApplication,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<'done' | 'stale'> {
  let [isOpen, isMade] = [true, false];
  const noteLoss = () => {
    isMade = true;
  };
  const narrowed = () => {
    if (isOpen) application.narrowed?.(isMade);
    isOpen = false;
  };
  try {
    return await applyAll({ ...application, noteLoss }, narrowed, deps, signal);
  } finally {
    narrowed();
  }
}

async function applyAll(
  application: Run,
  narrowed: () => void,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<'done' | 'stale'> {
  const { changes } = application;
  if (changes.length === 0) return 'done';
  await deps.acl.noteWrite(deps.keyValues);
  const failures: unknown[] = [];
  const lastNarrowing = changes.findLastIndex((change) => change.narrows);
  let isStale = false;
  const drafts = new Map<AclChange, TokenDraft>();
  let at = 0;
  for (let change = changes[at]; change !== undefined; change = changes[at]) {
    const together = writesFrom(at, changes);
    const isUrgent = at <= lastNarrowing;
    at += Math.max(together.length, 1);
    const isCleanUp = change.verb === 'deleted' && !isStale;
    if (change.narrows || isCleanUp || (failures.length === 0 && !isStale)) {
      try {
        const end =
          change.step.do === 'end-tokens'
            ? await endLiveTokens(change, drafts.get(change), application, deps, signal)
            : together.length > 0
              ? await writeAll(together, isUrgent, application, deps, signal)
              : await carryOut(change, isUrgent, changes.slice(at), drafts, application, deps, signal);
        isStale ||= end === 'stale';
      } catch (error) {
        if (signal.aborted) throw error;
        failures.push(error);
      }
    }
    if (change === changes[lastNarrowing]) narrowed();
  }
  if (failures.length > 0) throw failures[0];
  return isStale ? 'stale' : 'done';
}

/** Consecutive writes that do not narrow. */
function writesFrom(at: number, changes: readonly AclChange[]): readonly AclChange[] {
  const end = changes.findIndex(
    ({ step, narrows }, index) => index >= at && (narrows || step.do !== 'write'),
  );
  return changes.slice(at, end === -1 ? undefined : end);
}

/** Makes one change, after the tokens that it leaves are recorded, so that recovery ends them. */
async function carryOut(
  change: AclChange,
  isUrgent: boolean,
  later: readonly AclChange[],
  drafts: Map<AclChange, TokenDraft>,
  application: Run,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<ChangeEnd> {
  const left = tokensLeftBy(change, later);
  // The same draft for each write that leaves the tokens: if a record is in doubt, its repetition makes no second decision.
  let ahead = left === undefined ? undefined : drafts.get(left);
  if (left !== undefined && ahead === undefined && (await mayHaveTokens(left, deps, signal))) {
    ahead = { draft: aclDraftOf(left, application.cause, deps), isRecorded: false };
    drafts.set(left, ahead);
  }
  try {
    return await writeAll([change], isUrgent, application, deps, signal, ahead);
  } catch (error) {
    const deletion = asDeletion(change);
    // A method that cannot be narrowed, for whatever reason, can be deleted.
    if (deletion !== undefined && !signal.aborted)
      await writeAll([deletion], isUrgent, application, deps, signal);
    throw error;
  }
}

/**
 * The later step about tokens that no plan asks for once this change is made: those that live longer than a shortened
 * lifetime, and those of a deleted rule, whose role the next plan may want again.
 */
function tokensLeftBy({ step, narrows }: AclChange, later: readonly AclChange[]): AclChange | undefined {
  if (!narrows) return undefined;
  if (step.do === 'write') return later[0]?.step.do === 'end-tokens' ? later[0] : undefined;
  if (step.do !== 'delete' || step.kind !== 'acl-binding-rule') return undefined;
  const [authMethod, bound = ''] = step.name.split('/');
  return later.find(({ step: each }) => {
    if (each.do !== 'end-tokens') return false;
    return 'role' in each.by
      ? each.by.role.toLowerCase() === bound.toLowerCase()
      : each.by.authMethod === authMethod;
  });
}

/** True also if they cannot be listed now: then they are recorded, and the change is made all the same. */
async function mayHaveTokens({ step }: AclChange, deps: AclDeps, signal: AbortSignal): Promise<boolean> {
  if (step.do !== 'end-tokens') return false;
  const tokens = await deps.consul.acl.tokens(step.by, signal).catch(() => undefined);
  return tokens === undefined || tokensToEnd(tokens, deps.world.mapping.owner, step).length > 0;
}

async function writeAll(
  changes: readonly AclChange[],
  isUrgent: boolean,
  application: Run,
  deps: AclDeps,
  signal: AbortSignal,
  ahead?: TokenDraft,
): Promise<ChangeEnd> {
  const { key, isAsPlanned = () => true } = application;
  const noteLoss = changes.some(({ narrows }) => narrows) ? application.noteLoss : undefined;
  const all = await Promise.all(
    changes.map((change) => aclRequest(change, isUrgent, application, deps, signal)),
  );
  const requests = all.flatMap((request) =>
    request === undefined ? [] : noteSent(request, ahead, noteLoss),
  );
  const drafts = ahead === undefined || ahead.isRecorded ? [] : [ahead.draft];
  const write = { key, requests, ahead: drafts, isAsPlanned: () => changes.every(isAsPlanned) };
  const end = await journaledWrite(write, deps, signal);
  if ('error' in end) throw end.error;
  return end.kind === 'stale' ? 'stale' : 'done';
}

function noteSent(
  request: JournaledRequest,
  ahead: TokenDraft | undefined,
  noteLoss: (() => void) | undefined,
): JournaledRequest {
  if (ahead === undefined && noteLoss === undefined) return request;
  const send: JournaledRequest['send'] = async (signal) => {
    if (ahead !== undefined) ahead.isRecorded = true;
    try {
      const answer = await request.send(signal);
      noteLoss?.();
      return answer;
    } catch (error) {
      if (!isOfOneObject(error)) noteLoss?.();
      throw error;
    }
  };
  return { ...request, send };
}

/** The deletion of an object that could not be narrowed. The deletion of a method ends its tokens too. */
function asDeletion(change: AclChange): AclChange | undefined {
  const { step, narrows, after: _, ...rest } = change;
  if (step.do !== 'write' || !narrows || step.id === undefined || !fetchesKeys(step.object)) return undefined;
  const { id, object } = step;
  const name = nameOf(object).join('/');
  return { ...rest, narrows, verb: 'deleted', step: { do: 'delete', kind: object.kind, id, name } };
}

async function endLiveTokens(
  change: AclChange,
  known: TokenDraft | undefined,
  { key, cause, noteLoss, isAsPlanned = () => true }: Run,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<ChangeEnd> {
  const { step } = change;
  if (step.do !== 'end-tokens') return 'done';
  const ended = await endTokens(
    {
      key,
      draft: known?.draft ?? aclDraftOf(change, cause, deps),
      isRecorded: known?.isRecorded === true,
      filters: [step.by],
      longerThanSeconds: step.longerThanSeconds,
      isAsPlanned: () => isAsPlanned(change),
      onEnding: noteLoss,
    },
    deps,
    signal,
  );
  // Its record is in doubt, and the write that leaves tokens was not sent: recovery would end those of later logins.
  if (ended === 0 && known?.isRecorded === false) await withdraw(key, [known.draft.id], deps);
  return ended === 'stale' ? 'stale' : 'done';
}
