import { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import type { ExistingJwtProvider } from '../model/jwt-provider.js';
import { type GuardedJwtProvider, jwtProviderFacts, viewOfJwtProvider } from '../plan/jwt-provider-change.js';
import { entryText } from '../plan/user-tokens.js';
import type { Contention } from '../state/contention.js';
import { stampOf, type TargetDeps } from './deps.js';
import { journaledWrite, settleRefused } from './journaled-write.js';
import { outcomeByIndex, settleFound, toSettled } from './settle.js';

type JwtDeps = TargetDeps & { readonly contention: Contention };

/** Takes in every jwt-provider entry. */
export async function readJwtProviders(
  { consul, world }: Pick<TargetDeps, 'consul' | 'world'>,
  signal: AbortSignal,
): Promise<readonly ExistingJwtProvider[]> {
  const read = world.beginRead();
  const entries = await consul.jwtProviders.list(signal);
  world.userTokens.putEntries(entries, read);
  return entries;
}

/** Resolves with what Consul refused; a lost compare-and-set is thrown, and the entries are read again. */
export async function writeJwtProvider(
  key: string,
  change: GuardedJwtProvider,
  cause: Cause,
  deps: JwtDeps,
  signal: AbortSignal,
): Promise<SyncError | undefined> {
  const { consul, world, contention, clock, logger } = deps;
  const { name, before, after, subject, reason } = change;
  const expectedIndex = before?.modifyIndex ?? 0;
  const stamp = stampOf(deps);
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
  };
  const written = new Map([[subject, after === undefined ? null : entryText(after)]]);
  const end = await journaledWrite(
    {
      key,
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
    },
    deps,
    signal,
  );
  if (end.kind === 'refused') {
    await settleRefused(key, [draft], end.error, deps);
    logger.warn(
      { subject, error: end.error.message },
      'Consul refuses a jwt-provider; what needs it stays closed',
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

/** As for intentions: what a crash left is judged by what stands now. */
export async function recoverPendingJwtProviders(
  key: string,
  pending: readonly DraftDecision[],
  deps: JwtDeps,
  signal: AbortSignal,
): Promise<void> {
  const standing = await readJwtProviders(deps, signal);
  const nowMs = deps.clock.now();
  const lastApplied = new Map<string, string | null>();
  const decisions = pending.map((draft) => {
    const found = standing.find(({ name }) => name === draft.resource.name);
    const content = found?.content;
    const outcome = outcomeByIndex(draft, viewOfJwtProvider(content), found?.modifyIndex ?? 0);
    if (outcome.outcome === 'applied')
      lastApplied.set(
        draft.subject,
        content === undefined || content === 'other' ? null : entryText(content),
      );
    return toSettled(draft, outcome, nowMs);
  });
  await settleFound(key, decisions, { lastApplied }, deps);
}
