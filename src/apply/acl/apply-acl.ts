import { SyncError } from '../../errors.js';
import type { AclObject, Stored } from '../../model/acl.js';
import type { Cause } from '../../model/cause.js';
import type { DraftDecision } from '../../model/decision.js';
import { type AclChange, aclSubject, digestObject, nameOf } from '../../plan/acl/acl-change.js';
import { tokensToEnd } from '../../plan/acl/tokens.js';
import { isOwnedDescription } from '../../plan/ownership.js';
import { aclResidual } from '../../plan/residual.js';
import { stampOf } from '../deps.js';
import { journaledSequence, type SequencedWrite } from '../journaled-sequence.js';
import { isRefusal } from '../journaled-write.js';
import { settle } from '../settle.js';
import { aclDraft } from './acl-draft.js';
import type { AclDeps } from './deps.js';
import { countTokens, endedTokensText, endTokens, losingTokensText, noteEnded } from './end-tokens.js';
import { fetchesKeys } from './key-fetches.js';
import { isKnownPolicy, readPolicy } from './known-policies.js';

export interface AclApplication {
  /** `formatKey` text, or another key of the journal. */
  readonly key: string;
  /** Made in this order. */
  readonly changes: readonly AclChange[];
  readonly cause: Cause;
  /** What the key applied last. */
  readonly lastApplied: ReadonlyMap<string, string>;
  /** Recorded with each change, besides the objects themselves. */
  readonly remember?: ReadonlyMap<string, string>;
  /**
   * Called in the turn in which the last narrowing change is made, or has failed; `isMade` if one of them took something.
   */
  readonly narrowed?: (isMade: boolean) => void;
}

/**
 * Makes the changes in their order. Each is recorded before and settled after it; consecutive writes that do not narrow
 * share both steps. A failure stops all later widening changes, but no narrowing one. Then the first failure is thrown.
 * An error that leaves open whether a write was made leaves its draft pending: the next run of the key judges it.
 *
 * An auth method that cannot be narrowed, because Consul does not get the identity provider's keys, is deleted.
 */
export async function applyAcl(
  application: AclApplication,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<void> {
  const { changes } = application;
  if (changes.length === 0) return;
  await deps.acl.noteWrite(deps.keyValues);
  const failures: unknown[] = [];
  const lastNarrowing = changes.findLast((change) => change.narrows);
  let narrowed = 0;
  const recorded = new Map<AclChange, DraftDecision>();
  let at = 0;
  for (let change = changes[at]; change !== undefined; change = changes[at]) {
    const together = writesFrom(at, changes);
    at += Math.max(together.length, 1);
    const goesOn = change.narrows || change.verb === 'deleted';
    if (goesOn || failures.length === 0) {
      try {
        const left = tokensLeftBy(change, changes.slice(at));
        if (left !== undefined && !recorded.has(left)) {
          const draft = await recordLeftTokens(left, application, deps, signal);
          if (draft !== undefined) recorded.set(left, draft);
        }
        const isMade =
          together.length > 0
            ? await writeAll(together, application, deps, signal)
            : await carryOut(change, recorded.get(change), application, deps, signal);
        if (change.narrows && isMade) narrowed++;
      } catch (error) {
        if (signal.aborted) throw error;
        failures.push(error);
      }
    }
    if (change === lastNarrowing) application.narrowed?.(narrowed > 0);
  }
  if (failures.length > 0) throw failures[0];
}

/** Consecutive writes that do not narrow. */
function writesFrom(at: number, changes: readonly AclChange[]): readonly AclChange[] {
  const end = changes.findIndex(
    ({ step, narrows }, index) => index >= at && (narrows || step.do !== 'write'),
  );
  return changes.slice(at, end === -1 ? undefined : end);
}

type EndTokens = Extract<AclChange['step'], { do: 'end-tokens' }>;

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

/** Records these tokens before the change that leaves them, so that recovery ends them. */
async function recordLeftTokens(
  left: AclChange,
  application: AclApplication,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<DraftDecision | undefined> {
  if (left.step.do !== 'end-tokens') return undefined;
  // If they cannot be listed now, they are recorded and the change is made all the same.
  const tokens = await deps.consul.acl.tokens(left.step.by, signal).catch(() => undefined);
  const isNone =
    tokens !== undefined && tokensToEnd(tokens, deps.world.mapping.owner, left.step).length === 0;
  return isNone ? undefined : recordTokens(left, application, deps);
}

/** Whether it changed anything. */
async function carryOut(
  change: AclChange,
  recorded: DraftDecision | undefined,
  application: AclApplication,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { step } = change;
  switch (step.do) {
    case 'delete':
      return remove(change, step.id, application, deps, signal);
    case 'end-tokens':
      return endLiveTokens(change, step, recorded, application, deps, signal);
    case 'write':
      try {
        return await writeAll([change], application, deps, signal);
      } catch (error) {
        // A method that cannot be narrowed, for whatever reason, can be deleted.
        if (fetchesKeys(step.object) && change.narrows && step.id !== undefined && !signal.aborted)
          await remove(asDeletion(change, step.id, step.object), step.id, application, deps, signal);
        throw error;
      }
  }
}

async function writeAll(
  changes: readonly AclChange[],
  application: AclApplication,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<true> {
  const writes = changes.flatMap((change): readonly SequencedWrite[] => {
    const { step } = change;
    if (step.do !== 'write') return [];
    const { object } = step;
    return [
      {
        draft: draftOf(change, application.cause, deps),
        lastApplied: new Map(application.remember).set(
          change.subject,
          digestObject(change.remembered ?? object),
        ),
        run: (sending) =>
          write(
            step,
            async () => {
              sending();
              return send(change, step.id, object, deps, signal);
            },
            deps,
            signal,
          ),
      },
    ];
  });
  await journaledSequence(application.key, writes, deps);
  return true;
}

/** Sends a write under the mutex of its policy, or when there is room for one more that fetches keys. */
async function write<T>(
  { id, object }: { readonly id?: string | undefined; readonly object: AclObject },
  sendNow: () => Promise<T>,
  { acl, world, clock }: AclDeps,
  signal: AbortSignal,
): Promise<T | undefined> {
  if (fetchesKeys(object)) return acl.keyFetches.run(sendNow, clock, signal);
  if (object.kind !== 'acl-policy' || id !== undefined) return sendNow();
  // Another client's job may have created it since the plan.
  return acl.policyMutex.run(object.object.name.toLowerCase(), async () =>
    isKnownPolicy(object.object, { acl, world }) ? undefined : sendNow(),
  );
}

async function send(
  change: AclChange,
  id: string | undefined,
  object: AclObject,
  deps: AclDeps,
  signal: AbortSignal,
) {
  let stored: Stored<AclObject['object']>;
  try {
    // The names were read for this job: a missing object is created, and the answer shows an overwrite.
    stored = await deps.consul.acl.write(id, object, signal, { isAbsent: id === undefined });
  } catch (error) {
    if (!(error instanceof SyncError) || !isRefusal(error)) throw error;
    if (!(await isMadeByAnother(id, object, deps, signal))) throw error;
    return { kind: 'written', detail: 'another writer made the same policy at the same moment' } as const;
  }
  deps.acl.cache.wrote(object, stored, deps.world.beginRead());
  if (change.reason === 'DriftCorrected') deps.contention.corrected(change.subject, deps.clock.now());
  const detail = change.narrows ? await lossDetail(object, deps, signal) : {};
  return { kind: 'written', modifyIndex: stored.modifyIndex, ...detail } as const;
}

/** Live tokens lose at once what their role loses. They are counted after the write, so that it does not wait. */
async function lossDetail(
  object: AclObject,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<{ readonly detail?: string }> {
  if (object.kind !== 'acl-role') return {};
  const count = await countTokens({ role: object.object.name }, deps, signal);
  return count === 0 ? {} : { detail: await losingTokensText(count, deps, signal) };
}

/** A policy's name is derived from its content: of two equal ones that are created at once, Consul refuses one. */
async function isMadeByAnother(
  id: string | undefined,
  object: AclObject,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<boolean> {
  return object.kind === 'acl-policy' && id === undefined && readPolicy(object.object, deps, signal);
}

async function remove(
  change: AclChange,
  id: string,
  application: AclApplication,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { step } = change;
  if (step.do !== 'delete') return false;
  const name = step.name.split('/')[0] ?? '';
  const isMethod = step.kind === 'acl-auth-method';
  const tokens = isMethod ? await countTokens({ authMethod: name }, deps, signal) : undefined;
  const run: SequencedWrite['run'] = async (sending) => {
    sending();
    await deps.consul.acl.delete(step.kind, id, signal, (description) =>
      isOwnedDescription(deps.world.mapping.owner, description),
    );
    deps.acl.cache.removed(step.kind, name, id, deps.world.beginRead());
    noteEnded(tokens ?? 0, change.reason, deps);
    if (change.reason === 'DriftCorrected') deps.contention.corrected(change.subject, deps.clock.now());
    const detail = isMethod && tokens !== 0 ? { detail: await endedTokensText(tokens, deps, signal) } : {};
    return { kind: 'written', ...detail };
  };
  const draft = draftOf(change, application.cause, deps);
  const end = () =>
    journaledSequence(application.key, [{ draft, run, lastApplied: forgotten(change, application) }], deps);
  await (step.kind === 'acl-policy' ? deps.acl.policyMutex.run(name.toLowerCase(), end) : end());
  return true;
}

/** Forgets a deleted object, and the rules of a deleted method. */
function forgotten(change: AclChange, application: AclApplication): ReadonlyMap<string, string | null> {
  const { remembered } = change;
  const update = new Map<string, string | null>(application.remember);
  if (remembered !== undefined) return update.set(change.subject, digestObject(remembered));
  update.set(change.subject, null);
  if (change.resource.kind !== 'acl-auth-method') return update;
  const rules = `${aclSubject('acl-binding-rule', change.resource.name ?? '')}/`;
  for (const subject of application.lastApplied.keys())
    if (subject.startsWith(rules)) update.set(subject, null);
  return update;
}

/** The lifetime could not be shortened. The deletion of the method ends its tokens too. */
function asDeletion(change: AclChange, id: string, object: AclObject): AclChange {
  const { after: _, ...rest } = change;
  const name = nameOf(object).join('/');
  return { ...rest, verb: 'deleted', step: { do: 'delete', kind: object.kind, id, name } };
}

async function endLiveTokens(
  change: AclChange,
  step: EndTokens,
  recorded: DraftDecision | undefined,
  application: AclApplication,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { key } = application;
  let draft = recorded;
  const ended = await endTokens({ ...step, reason: change.reason }, deps, signal, async () => {
    draft ??= await recordTokens(change, application, deps);
  });
  // Without tokens there is no decision.
  if (draft === undefined) return false;
  const detail = await endedTokensText(ended, deps, signal);
  await settle(key, draft, { outcome: 'applied', detail }, undefined, deps);
  return ended > 0;
}

async function recordTokens(
  change: AclChange,
  { key, cause }: AclApplication,
  deps: AclDeps,
): Promise<DraftDecision> {
  const draft = draftOf(change, cause, deps);
  await deps.journal.record(key, [draft]);
  return draft;
}

function draftOf(change: AclChange, cause: Cause, deps: AclDeps): DraftDecision {
  const isRevoked = change.narrows || change.action === 'revoke';
  const residual = isRevoked ? aclResidual(change.reason, deps.acl.knownAgentCache) : undefined;
  return aclDraft(change, cause, stampOf(deps), residual);
}
