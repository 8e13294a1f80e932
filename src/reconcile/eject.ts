import { isAclActive } from '../apply/acl/acl-state.js';
import { applyAcl } from '../apply/acl/apply-acl.js';
import { draftOf } from '../apply/decision-drafts.js';
import { journaledWrite, settleRefused } from '../apply/journaled-write.js';
import { writeJwtProvider } from '../apply/jwt-provider-write.js';
import { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { ServiceName } from '../model/intention.js';
import { destinationKey, formatKey, providerKey } from '../model/key.js';
import type { AclChange } from '../plan/acl/acl-change.js';
import { isOurJwtProvider, providerOfEntry, withoutMark } from '../plan/acl/jwt-requirement.js';
import { isOurs } from '../plan/acl/object-names.js';
import { type AclEjection, isSameAclObject, planAclEjection } from '../plan/acl/plan-acl-ejection.js';
import { type GuardedJwtProvider, jwtProviderSubject } from '../plan/jwt-provider-change.js';
import { type Ejection, planEjections } from '../plan/plan-ejection.js';
import { type ReconcilerDeps, stampOf } from './deps.js';

/** Everything in Consul with the mark of this owner, the KV aside. */
export interface Marks {
  readonly intentions: readonly Ejection[];
  readonly acl: readonly AclEjection[];
  readonly jwtProviders: readonly GuardedJwtProvider[];
}

const ATTEMPTS = 3;

/** Reads all of it, whatever `select` has. Throws if a part cannot be read. */
export async function readMarks(deps: ReconcilerDeps, signal: AbortSignal): Promise<Marks> {
  const { consul, world } = deps;
  const { owner } = world.mapping;
  const isMarked = (name: string, description: string) => isOurs(owner, name, description);
  const [entries, snapshot] = await Promise.all([
    consul.intentions.list(signal),
    isAclActive(deps) ? consul.acl.read(isMarked, signal) : undefined,
  ]);
  return {
    intentions: planEjections(owner, entries),
    acl: snapshot === undefined ? [] : planAclEjection(owner, snapshot),
    jwtProviders: jwtProviderMarks(deps),
  };
}

/** As they were read with both sides. */
function jwtProviderMarks({ world }: ReconcilerDeps): readonly GuardedJwtProvider[] {
  const all = [...(world.userTokens.facts.entries?.values() ?? [])];
  return all.flatMap((before) => {
    if (!isOurJwtProvider(world.mapping.owner, before) || before.content === 'other') return [];
    const { name } = before;
    return {
      name,
      verb: 'updated' as const,
      before,
      after: withoutMark(before.content),
      subject: jwtProviderSubject(name),
      reason: 'Ejected' as const,
      narrows: false,
      widens: false,
      isInferred: false,
    };
  });
}

/** Takes the marks from one entry, by compare-and-set against a fresh read. Resolves with their number. */
export async function ejectEntry(
  destination: ServiceName,
  cause: Cause,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<number> {
  const { consul, world } = deps;
  const key = formatKey(destinationKey(destination.name, destination.namespace, destination.partition));
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const entry = await consul.intentions.read(destination, signal);
    const [ejection] = planEjections(world.mapping.owner, entry === undefined ? [] : [entry]);
    if (entry === undefined || ejection === undefined) return 0;
    if (ejection.why !== undefined)
      throw new SyncError('ERR_CONSUL_REJECTED', ejection.why, { retriable: false });
    const stamp = stampOf(deps);
    const writeId = stamp.newId();
    const drafts = ejection.changes.map((change) => {
      const draft = draftOf(change, cause, entry.modifyIndex, stamp);
      return { ...draft, after: draft.before, writeId };
    });
    const send = (stop: AbortSignal) =>
      consul.intentions.write(destination, entry, ejection.sources, entry.modifyIndex, stop);
    const end = await journaledWrite({ key, drafts, send }, deps, signal);
    if (end.kind === 'written') return drafts.length;
    if (end.kind !== 'refused') continue;
    await settleRefused(key, drafts, end.error, deps);
    throw end.error;
  }
  throw new SyncError('ERR_CONSUL_CONFLICT', 'another writer keeps changing this entry', { retriable: true });
}

/**
 * Takes the mark from one ACL object. It has no compare-and-set, so it is read again just before. Resolves with 0 if the
 * mark is gone.
 */
export async function ejectAcl(
  planned: AclChange,
  cause: Cause,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<number> {
  const { consul, world, journal } = deps;
  const { owner } = world.mapping;
  const [name = ''] = planned.resource.name?.split('/') ?? [];
  const isPolicy = planned.resource.kind === 'acl-policy';
  const snapshot = await consul.acl.readNamed(isPolicy ? [] : [name], isPolicy ? [name] : [], signal);
  const found = planAclEjection(owner, snapshot).find(({ change }) => isSameAclObject(change, planned));
  if (found === undefined) return 0;
  const { change, why } = found;
  if (why !== undefined) throw new SyncError('ERR_CONSUL_REJECTED', why, { retriable: false });
  const key = `acl/${owner}`;
  const { lastApplied } = await journal.read(key);
  await applyAcl({ key, changes: [change], cause, lastApplied }, deps, signal);
  return 1;
}

export async function ejectJwtProvider(
  change: GuardedJwtProvider,
  cause: Cause,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<number> {
  const provider = change.before === undefined ? undefined : providerOfEntry(change.before);
  const key = formatKey(providerKey(provider ?? change.name));
  const refusal = await writeJwtProvider(key, change, [], cause, deps, signal);
  if (refusal !== undefined) throw refusal;
  return 1;
}

/** Forgets what was written, so that a later run finds objects of somebody else and not lost marks. */
export async function forgetWritten({ journal }: ReconcilerDeps): Promise<void> {
  for (const [key, { lastApplied }] of await journal.readAll())
    if (lastApplied.size > 0)
      await journal.settle(key, [], {
        lastApplied: new Map([...lastApplied.keys()].map((name) => [name, null])),
      });
}
