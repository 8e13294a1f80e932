import { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import type { ExistingJwtProvider } from '../model/jwt-provider.js';
import { type GuardedJwtProvider, jwtProviderFacts, viewOfJwtProvider } from '../plan/jwt-provider-change.js';
import { entryText } from '../plan/user-tokens.js';
import type { Contention } from '../state/contention.js';
import { causeOfChange } from './decision-drafts.js';
import { stampOf, type TargetDeps } from './deps.js';
import { journaledWrite, settleRefused } from './journaled-write.js';
import { judgeByIndex } from './lost-answers.js';
import { settleFound, toSettled } from './settle.js';

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
 * Resolves with what Consul refused; a lost compare-and-set is thrown, and the entries are read again. `overtaken`:
 * earlier writes of the provider's entry whose answer was lost.
 */
export async function writeJwtProvider(
  key: string,
  change: GuardedJwtProvider,
  overtaken: readonly DraftDecision[],
  of: Cause,
  deps: JwtDeps,
  signal: AbortSignal,
): Promise<SyncError | undefined> {
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
  const end = await journaledWrite(
    {
      key,
      drafts: [draft],
      overtaken,
      send: (stop) =>
        after === undefined
          ? consul.jwtProviders.delete(name, expectedIndex, stop)
          : consul.jwtProviders.write(after, expectedIndex, stop),
      lastApplied: written,
      onWritten: (modifyIndex) => {
        if (reason === 'DriftCorrected') contention.corrected(subject, clock.now());
        world.userTokens.putEntry(name, after, modifyIndex ?? 0, world.beginRead());
      },
    },
    deps,
    signal,
  );
  if (end.kind === 'refused') {
    await settleRefused(key, [draft], end.error, deps);
    logger.warn(
      { subject, error: end.error.message },
      'Consul refuses a jwt-provider; access that needs it stays closed',
    );
    return end.error;
  }
  if (end.kind === 'conflict') {
    await readJwtProviders(deps, signal);
    const message = `jwt-provider ${name}: the entry changed meanwhile; it is read and planned again`;
    throw new SyncError('ERR_CONSUL_CONFLICT', message, { retriable: true });
  }
  return undefined;
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
  const nowMs = deps.clock.now();
  const entryOf = ({ resource }: DraftDecision) => existing.find(({ name }) => name === resource.name);
  const find = (draft: DraftDecision) => {
    const entry = entryOf(draft);
    return { view: viewOfJwtProvider(entry?.content), index: entry?.modifyIndex ?? 0 };
  };
  const outcomes = judgeByIndex(pending, find, nowMs);
  const lastApplied = new Map<string, string | null>();
  for (const [draft, { outcome }] of outcomes) {
    const content = entryOf(draft)?.content;
    const isOurs = content !== undefined && content !== 'other';
    if (outcome === 'applied') lastApplied.set(draft.subject, isOurs ? entryText(content) : null);
  }
  const decisions = [...outcomes].map(([draft, outcome]) => toSettled(draft, outcome, nowMs));
  await settleFound(key, decisions, { lastApplied }, deps);
  return pending.filter((draft) => !outcomes.has(draft));
}
