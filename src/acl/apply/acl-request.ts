import { stampOf } from '../../apply/deps.js';
import { isRefusal, type JournaledRequest, type WriteAnswer } from '../../apply/journaled-write.js';
import { SyncError } from '../../errors.js';
import type { AclObject, AclPolicy, AclSnapshot, Stored } from '../../model/acl.js';
import type { Cause } from '../../model/cause.js';
import type { DraftDecision } from '../../model/decision.js';
import { isOurs } from '../../plan/object-names.js';
import { isOwnedDescription } from '../../plan/ownership.js';
import { aclResidual } from '../../plan/residual.js';
import { type AclChange, aclSubject, digestObject, firstNameIn } from '../plan/acl-change.js';
import { decidedPerson } from '../plan/person.js';
import { aclDraft } from './acl-draft.js';
import type { AclDeps } from './deps.js';
import { countTokens, endedTokensText, losingTokensText, noteEnded } from './end-tokens.js';
import { fetchesKeys } from './key-fetches.js';

/** What the requests of one plan have in common. */
export interface AclContext {
  readonly cause: Cause;
  /** What the key applied last. */
  readonly lastApplied: ReadonlyMap<string, string>;
  /** Recorded with each change, besides the objects themselves. */
  readonly remember?: ReadonlyMap<string, string>;
  /** Whether a new plan would make the same change. Asked after the record of each write, and again at its turn. */
  readonly isAsPlanned?: (change: AclChange) => boolean;
}

/** The request that writes or deletes an object; undefined for a step about tokens. `isUrgent`: a loss waits for it. */
export async function aclRequest(
  change: AclChange,
  isUrgent: boolean,
  context: AclContext,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<JournaledRequest | undefined> {
  const { step } = change;
  const changes = [change, ...removedWith(change, deps)];
  const drafts = changes.map((each) => aclDraftOf(each, context.cause, deps));
  const within = turnOf(change, isUrgent, context, deps, signal);
  switch (step.do) {
    case 'write': {
      const digest = digestObject(change.remembered ?? step.object);
      return {
        drafts,
        lastApplied: new Map(context.remember).set(change.subject, digest),
        within,
        send: () => write(change, step.id, step.object, deps, signal),
      };
    }
    case 'delete': {
      const lastApplied = forgotten(change, context);
      const name = firstNameIn(step.name);
      const isMethod = step.kind === 'acl-auth-method';
      const tokens = isMethod ? await countTokens({ authMethod: name }, deps, signal) : undefined;
      const send = async (): Promise<WriteAnswer> => {
        await deps.consul.acl.delete(step.kind, step.id, signal, (description) =>
          isOwnedDescription(deps.world.mapping.owner, description),
        );
        deps.acl.cache.removed(step.kind, name, step.id, deps.world.beginRead());
        noteEnded(tokens ?? 0, change.reason, deps);
        noteCorrected(change, deps);
        if (!isMethod || tokens === 0) return { kind: 'written' };
        return { kind: 'written', detail: await endedTokensText(tokens, deps, signal) };
      };
      return { drafts, lastApplied, within, send };
    }
    case 'end-tokens':
      return undefined;
  }
}

/** The rules that Consul deletes together with their auth method. They have decisions of their own in the same write. */
function removedWith(
  change: AclChange,
  { acl, world }: Pick<AclDeps, 'acl' | 'world'>,
): readonly AclChange[] {
  const { step } = change;
  if (step.do !== 'delete' || step.kind !== 'acl-auth-method') return [];
  const { owner } = world.mapping;
  return acl.cache
    .of(step.name)
    .bindingRules.filter(({ object }) => isOwnedDescription(owner, object.description))
    .map(({ object: before }) => {
      const names = [before.authMethod, before.bindName];
      const person = decidedPerson(owner, { name: before.bindName, description: before.description });
      return {
        ...change,
        ...(person === undefined ? {} : { person }),
        subject: aclSubject('acl-binding-rule', ...names),
        resource: { kind: 'acl-binding-rule', name: names.join('/') },
        reason: 'RemovedWithParent',
        before,
      };
    });
}

export function aclDraftOf(change: AclChange, cause: Cause, deps: AclDeps): DraftDecision {
  const isRevoked = change.narrows || change.action === 'revoke';
  const residual = isRevoked ? aclResidual(change.reason, deps.acl.knownAgentCache) : undefined;
  return aclDraft(change, cause, stampOf(deps), residual);
}

/**
 * A request waits until there is room for one more that fetches keys, or for a place and then for the mutex of its policy: in
 * this order nothing that holds a place waits for one that waits for a place. Meanwhile the plan may have become wrong.
 */
function turnOf(
  change: AclChange,
  isUrgent: boolean,
  { isAsPlanned = () => true }: AclContext,
  { acl, world, clock, writePlaces }: AclDeps,
  signal: AbortSignal,
): JournaledRequest['within'] {
  const { step } = change;
  return (sendNow) => {
    const send = async () => (isAsPlanned(change) ? sendNow() : 'stale');
    if (step.do === 'write' && fetchesKeys(step.object)) return acl.keyFetches.run(send, clock, signal);
    return writePlaces.run(
      () => {
        if (step.do === 'delete' && step.kind === 'acl-policy')
          return acl.policyMutex.run(step.name.toLowerCase(), send);
        if (step.do !== 'write' || step.object.kind !== 'acl-policy' || step.id !== undefined) return send();
        const policy = step.object.object;
        // Another client's job may have created it since the plan.
        return acl.policyMutex.run(policy.name.toLowerCase(), async () =>
          isKnownPolicy(policy, { acl, world }) ? undefined : send(),
        );
      },
      isUrgent,
      signal,
    );
  };
}

async function write(
  change: AclChange,
  id: string | undefined,
  object: AclObject,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<WriteAnswer> {
  let stored: Stored<AclObject['object']>;
  try {
    // The names were read for this job: a missing object is created, and the answer shows an overwrite.
    stored = await deps.consul.acl.write(id, object, signal, { isAbsent: id === undefined });
  } catch (error) {
    if (!(error instanceof SyncError) || !isRefusal(error)) throw error;
    if (!(await isMadeByAnother(id, object, deps, signal))) throw error;
    return { kind: 'written', detail: 'another writer made the same policy at the same moment' };
  }
  deps.acl.cache.wrote(object, stored, deps.world.beginRead());
  noteCorrected(change, deps);
  const detail = change.narrows ? await lossDetail(object, deps, signal) : {};
  return { kind: 'written', modifyIndex: stored.modifyIndex, ...detail };
}

function noteCorrected({ reason, subject }: AclChange, { contention, clock }: AclDeps): void {
  if (reason === 'DriftCorrected') contention.corrected(subject, clock.now());
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

/** Forgets a deleted object, and the rules of a deleted method. */
function forgotten(change: AclChange, context: AclContext): ReadonlyMap<string, string | null> {
  const { remembered } = change;
  const update = new Map<string, string | null>(context.remember);
  if (remembered !== undefined) return update.set(change.subject, digestObject(remembered));
  update.set(change.subject, null);
  if (change.resource.kind !== 'acl-auth-method') return update;
  const rules = `${aclSubject('acl-binding-rule', change.resource.name ?? '')}/`;
  for (const subject of context.lastApplied.keys()) if (subject.startsWith(rules)) update.set(subject, null);
  return update;
}

type Deps = Pick<AclDeps, 'consul' | 'world' | 'acl'>;

/** Whether a policy exists as wanted, by the last read or write. Clients share policies, and any job may create one. */
function isKnownPolicy(policy: AclPolicy, { acl, world }: Pick<Deps, 'world' | 'acl'>): boolean {
  return isAsDesired(policy, acl.cache.snapshot([], [policy.name]), world.mapping.owner);
}

/** The same from a fresh read. */
async function readPolicy(policy: AclPolicy, deps: Deps, signal: AbortSignal): Promise<boolean> {
  const read = deps.world.beginRead();
  const snapshot = await deps.consul.acl.readNamed([], [policy.name], signal);
  deps.acl.cache.put([], [policy.name], snapshot, read);
  return isAsDesired(policy, snapshot, deps.world.mapping.owner);
}

function isAsDesired(policy: AclPolicy, { policies }: AclSnapshot, owner: string): boolean {
  const [found] = policies;
  return (
    found !== undefined &&
    !found.isAltered &&
    found.object.rules === policy.rules &&
    isOurs(owner, found.object.name, found.object.description)
  );
}
