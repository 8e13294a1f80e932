import { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import type { ExistingJwtProvider } from '../model/jwt-provider.js';
import { type GuardedJwtProvider, jwtProviderFacts, viewOfJwtProvider } from '../plan/jwt-provider-change.js';
import { entryText } from '../plan/user-tokens.js';
import type { Contention } from '../state/contention.js';
import { causeOfChange } from './decision-drafts.js';
import { stampOf, type TargetDeps } from './deps.js';
import { type JournaledRequest, journaledWrite, type WriteEnd } from './journaled-write.js';
import { type RecoveredTarget, recoverWrites } from './recover-writes.js';

type JwtDeps = TargetDeps & { readonly contention: Contention };

/** Reads every jwt-provider entry into the state. */
export async function readJwtProviders(
  { consul, world }: Pick<TargetDeps, 'consul' | 'world'>,
  signal: AbortSignal,
): Promise<readonly ExistingJwtProvider[]> {
  const read = world.beginRead();
  const entries = await consul.jwtProviders.list(signal);
  world.userTokens.putEntries(entries, read);
  return entries;
}

/**
 * Writes or removes one entry. A lost compare-and-set is thrown, and the entries are read again. `overtaken`: earlier writes
 * of the provider's entry whose answer was lost. `isAsPlanned`: whether a new plan would make the same change.
 */
export async function writeJwtProvider(
  key: string,
  change: GuardedJwtProvider,
  overtaken: readonly DraftDecision[],
  of: Cause,
  deps: JwtDeps,
  signal: AbortSignal,
  isAsPlanned: () => boolean = () => true,
): Promise<WriteEnd> {
  const { consul, world, contention, clock, logger } = deps;
  const { name, before, after, subject, reason } = change;
  const expectedIndex = before?.modifyIndex ?? 0;
  const stamp = stampOf(deps);
  const cause = causeOfChange(change, of, stamp);
  const draft: DraftDecision = {
    id: stamp.newId(),
    type: `dev.scopemesh.jwt-provider.${change.verb}`,
    subject,
    source: stamp.source,
    ...jwtProviderFacts(change),
    reason,
    scopes: [],
    ...(cause.principal === undefined ? {} : { principal: cause.principal }),
    cause,
    mappingRevision: stamp.mappingRevision,
    expectedIndex,
    recordedAt: stamp.time,
  };
  const written = new Map([[subject, after === undefined ? null : entryText(after)]]);
  const request: JournaledRequest = {
    drafts: [draft],
    send: (stop) =>
      after === undefined
        ? consul.jwtProviders.delete(name, expectedIndex, stop)
        : consul.jwtProviders.write(after, expectedIndex, stop),
    lastApplied: written,
    onWritten: (modifyIndex) => {
      if (reason === 'DriftCorrected') contention.corrected(subject, clock.now());
      world.userTokens.putEntry(name, after, modifyIndex ?? 0, world.beginRead());
    },
  };
  const end = await journaledWrite({ key, requests: [request], overtaken, isAsPlanned }, deps, signal);
  if (end.kind === 'refused') {
    logger.warn(
      { subject, error: end.error.message },
      'Consul refuses a jwt-provider; access that needs it stays closed',
    );
  }
  if (end.kind === 'conflict') {
    await readJwtProviders(deps, signal);
    throw new SyncError(end.error.code, `jwt-provider ${name}: ${end.error.message}`, { retriable: true });
  }
  return end;
}

/**
 * Settles what a crash or a lost answer left open, as for intentions. Resolves with the drafts whose request may still
 * reach Consul.
 */
export async function recoverPendingJwtProviders(
  key: string,
  pending: readonly DraftDecision[],
  deps: JwtDeps,
  signal: AbortSignal,
): Promise<readonly DraftDecision[]> {
  if (pending.length === 0) return [];
  const existing = await readJwtProviders(deps, signal);
  const entryOf = ({ resource }: DraftDecision) => existing.find(({ name }) => name === resource.name);
  const target: RecoveredTarget = {
    find: (draft) => {
      const entry = entryOf(draft);
      const view = JSON.stringify(viewOfJwtProvider(entry?.content));
      return { isNow: (wanted) => JSON.stringify(wanted) === view, index: entry?.modifyIndex ?? 0 };
    },
    remember: (draft, outcome) => {
      const content = entryOf(draft)?.content;
      const isOurs = content !== undefined && content !== 'other';
      return outcome !== 'applied' ? undefined : isOurs ? entryText(content) : null;
    },
  };
  const { open } = await recoverWrites(key, { pending, lastApplied: new Map() }, target, deps);
  return open;
}
