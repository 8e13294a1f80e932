import { causeOf, settledOf } from '../apply/decision-drafts.js';
import { journaledWrite, settleRefused } from '../apply/journaled-write.js';
import { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { JwtProviderEntry, StandingJwtProvider } from '../model/jwt-provider.js';
import { formatKey, providerKey } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import { providerOfEntry } from '../plan/acl/jwt-requirement.js';
import { jwtProviderName } from '../plan/acl/quote.js';
import type { Hold, Plan } from '../plan/plan.js';
import { type JwtProviderChange, planJwtProviders } from '../plan/plan-jwt-providers.js';
import { entryText, parseEntryKeys } from '../plan/user-tokens.js';
import type { SettledDecision } from '../queue/journal.js';
import { planFleet } from '../state/fleet.js';
import { toTriggers } from '../state/observe-consul.js';
import { aclBudget } from './acl/acl-budget.js';
import { type ReconcilerDeps, stampOf } from './deps.js';
import { tellHolds } from './holds.js';
import { INTERRUPTED } from './leftovers.js';
import {
  lacksFacts,
  needsUserTokens,
  ourJwtProviders,
  readJwtProviders,
  readUserTokenFacts,
} from './user-token-facts.js';

type Deps = ReconcilerDeps;

/**
 * Takes the addresses of keys that were written for those of the providers, until these can be asked: what stands may be
 * somebody's edit.
 */
export async function restoreJwksUris({ world, journal }: Pick<Deps, 'world' | 'journal'>): Promise<void> {
  const { mapping, userTokens } = world;
  for (const provider of mapping.providers) {
    const { lastWritten } = await journal.read(formatKey(providerKey(provider)));
    const written = lastWritten.get(jwtProviderSubject(jwtProviderName(mapping.owner, provider)));
    const keys = written === undefined ? undefined : parseEntryKeys(written);
    if (keys !== undefined && keys.issuer === mapping.acl.providers.get(provider)?.issuer)
      userTokens.putJwksUri(provider, keys.jwksUri);
  }
}

/** The jobs of the providers whose entries are to be written or removed. */
export function jwtProviderTriggers(
  plans: readonly Plan[],
  cause: Cause,
  deps: Pick<Deps, 'world'>,
): readonly Trigger[] {
  const names = planned(plans, deps).flatMap(({ before, after }) => {
    const about = after ?? before;
    return about === undefined ? [] : (providerOfEntry(about) ?? []);
  });
  return [...new Set(names)].map((name) => ({ key: providerKey(name), cause, urgent: true }));
}

/** Takes in the entries that a watch saw change; the jobs of what they make necessary. */
export async function observeJwtProviders(
  deps: Pick<Deps, 'consul' | 'world' | 'window' | 'clock' | 'acl'>,
  cause: Cause,
  signal: AbortSignal,
): Promise<readonly Trigger[]> {
  const { world, clock } = deps;
  const before = world.userTokens.facts;
  await readJwtProviders(deps, signal);
  if (world.userTokens.facts === before) return [];
  const now = clock.now();
  const plans = planFleet(world, deps.window, now, aclBudget(deps, now));
  return [...jwtProviderTriggers(plans, cause, deps), ...toTriggers(waiting(plans), cause)];
}

/** What would be written of jwt-provider entries now, by the plans of the whole fleet. */
export function planned(
  plans: readonly Plan[],
  { world }: Pick<Deps, 'world'>,
  intentions: Iterable<IntentionEntry> = world.entries.values(),
): readonly JwtProviderChange[] {
  return planJwtProviders({
    mapping: world.mapping,
    userTokens: world.userTokens.facts,
    plans,
    intentions,
    isRead: (provider) => {
      const { clients: unreadable, hasUnnamed } = world.directories.unreadableOf(provider);
      return world.hasDirectory(provider) && unreadable.size === 0 && !hasUnnamed;
    },
  });
}

/**
 * Makes the jwt-provider entry of one identity provider equal to what the destinations need: written before an
 * intention names it, removed once none does. The only writer of that entry. Resolves with what Consul refused, which it
 * would refuse again: the next comparison tries it, and no directory waits for it.
 */
export async function reconcileJwtProvider(
  provider: string,
  job: Job,
  deps: Deps,
  signal: AbortSignal,
): Promise<SyncError | undefined> {
  const { world, journal } = deps;
  const key = formatKey(providerKey(provider));
  const record = await journal.read(key);
  const pending = record.pending.filter(({ resource }) => resource.kind === 'jwt-provider');
  if (pending.length > 0) await settleJwtLeftovers(key, pending, deps, signal);
  const isNeeded = needsUserTokens(world.mapping);
  const cause = causeOf(job);
  const tell = (holds: readonly Hold[]) => tellHolds(key, record, holds, cause, deps, isJwtSubject);
  if (!isNeeded && ourJwtProviders(world).length === 0) {
    await tell([]);
    return undefined;
  }
  // The regular read of a directory is no reason to plan the whole fleet: who needs the entry, or needs it no more, asks.
  const isRoutine = job.triggers.every((trigger) => trigger.fullRead);
  if (isRoutine && !(isNeeded && lacksFacts(world))) return undefined;
  const before = world.userTokens.facts;
  if (isNeeded) await readUserTokenFacts(deps, signal);
  const now = deps.clock.now();
  const plans = planFleet(world, deps.window, now, aclBudget(deps, now));
  // What was held for want of a fact.
  if (world.userTokens.facts !== before) await deps.queue.add(toTriggers(waiting(plans), cause));
  const holds: Hold[] = [];
  let refusal: SyncError | undefined;
  for (const change of planned(plans, deps)) {
    const { name, verb } = change;
    if (providerOfEntry(change.after ?? change.before ?? { meta: {} }) !== provider) continue;
    if (verb === 'deleted') {
      // An intention that a watch has yet to show could name it. Not put into the world: the watch must still see it.
      const all = await deps.consul.intentions.list(signal);
      if (!planned(plans, deps, all).some((each) => each.name === name && each.verb === verb)) continue;
    }
    const isDrift = isDriftOf(change, record.lastWritten);
    if (isDrift && deps.contention.isContended(jwtProviderSubject(name), now))
      holds.push(contendedHold(change));
    else refusal ??= await writeProvider(key, change, isDrift, cause, deps, signal);
  }
  await tell(holds);
  return refusal;
}

/** What is there is not what was written, although nothing else is wanted. */
function isDriftOf({ name, after }: JwtProviderChange, lastWritten: ReadonlyMap<string, string>): boolean {
  return after !== undefined && lastWritten.get(jwtProviderSubject(name)) === entryText(after);
}

function contendedHold({ name }: JwtProviderChange): Hold {
  return {
    subject: jwtProviderSubject(name),
    resource: { kind: 'jwt-provider', name },
    reason: 'Contended',
    detail:
      'somebody undoes this jwt-provider again and again, and whose tokens it takes is as they wrote it; find out who writes it (Terraform, a script) and keep one writer',
    action: 'change',
    scopes: [],
  };
}

/** The destinations that have something to write, or wait to. */
function waiting(plans: readonly Plan[]): readonly ServiceName[] {
  return plans.flatMap(({ key, changes, awaits = [] }) =>
    key.kind === 'destination' && changes.length + awaits.length > 0
      ? [{ partition: key.partition, namespace: key.namespace, name: key.service }]
      : [],
  );
}

async function writeProvider(
  key: string,
  change: JwtProviderChange,
  isDrift: boolean,
  cause: Cause,
  deps: Deps,
  signal: AbortSignal,
): Promise<SyncError | undefined> {
  const { consul, world, contention, clock, logger } = deps;
  const { name, before, after } = change;
  const subject = jwtProviderSubject(name);
  const expectedIndex = before?.modifyIndex ?? 0;
  const stamp = stampOf(deps);
  const draft: DraftDecision = {
    id: stamp.newId(),
    type: `dev.scopemesh.jwt-provider.${change.verb}`,
    subject,
    source: stamp.source,
    ...jwtProviderFacts(change),
    ...(isDrift ? { reason: 'DriftCorrected' as const } : {}),
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
      lastWritten: written,
      onWritten: (modifyIndex) => {
        if (isDrift) contention.corrected(subject, clock.now());
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

/** What a decision, and a plan, say of a change. */
export function jwtProviderFacts({ name, verb, before, after }: JwtProviderChange) {
  const ACTIONS = { created: 'grant', updated: 'change', deleted: 'revoke' } as const;
  const REASONS = { created: 'ScopeGranted', updated: 'MappingChanged', deleted: 'ScopeRevoked' } as const;
  return {
    action: ACTIONS[verb],
    reason: REASONS[verb],
    resource: { kind: 'jwt-provider' as const, name },
    before: viewOf(before?.content),
    after: viewOf(after),
  };
}

export function jwtProviderSubject(name: string): string {
  return `jwt-provider/${encodeURIComponent(name)}`;
}

function isJwtSubject(subject: string): boolean {
  return subject.startsWith('jwt-provider/');
}

function viewOf(content: StandingJwtProvider['content'] | undefined): unknown {
  if (content === undefined) return null;
  if (content === 'other') return { entry: 'other' };
  const { issuer, audiences, jwksUri, caFile }: JwtProviderEntry = content;
  return { issuer, audiences, jwksUri, ...(caFile === undefined ? {} : { caFile }) };
}

/** As for intentions: what a crash left is judged by what stands now. */
async function settleJwtLeftovers(
  key: string,
  pending: readonly DraftDecision[],
  deps: Deps,
  signal: AbortSignal,
): Promise<void> {
  const standing = await readJwtProviders(deps, signal);
  const nowMs = deps.clock.now();
  const at = { nowMs, time: new Date(nowMs).toISOString() };
  const lastWritten = new Map<string, string | null>();
  const decisions = pending.map((draft): SettledDecision => {
    const found = standing.find(({ name }) => name === draft.resource.name);
    const current = JSON.stringify(viewOf(found?.content));
    const index = found?.modifyIndex ?? 0;
    if (current === JSON.stringify(draft.after) && (index !== draft.expectedIndex || index === 0)) {
      const content = found?.content;
      lastWritten.set(
        draft.subject,
        content === undefined || content === 'other' ? null : entryText(content),
      );
      return settledOf(draft, { ...at, outcome: 'applied', ...(index === 0 ? {} : { modifyIndex: index }) });
    }
    if (current === JSON.stringify(draft.before) && index === draft.expectedIndex)
      return settledOf(draft, { ...at, ...INTERRUPTED });
    const detail =
      'scopemesh was interrupted at this write, and the entry has changed since: whether it was made cannot be known';
    return settledOf(draft, { ...at, outcome: 'unknown', reason: 'Interrupted', detail });
  });
  await deps.journal.settle(key, decisions, { lastWritten });
  for (const { outcome, reason } of decisions)
    deps.metrics.count('scopemesh_decisions_total', { outcome, reason });
  deps.onSettled();
}
