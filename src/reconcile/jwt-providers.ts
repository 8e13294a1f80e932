import { causeOf } from '../apply/decision-drafts.js';
import {
  readJwtProviders,
  recoverPendingJwtProviders,
  writeJwtProvider,
} from '../apply/jwt-provider-write.js';
import type { SyncError } from '../errors.js';
import type { Cause } from '../model/cause.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { formatKey, providerKey } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import { providerOfEntry } from '../plan/acl/jwt-requirement.js';
import { jwtProviderName } from '../plan/acl/quote.js';
import { guard } from '../plan/guards/guards.js';
import { guardableJwtProviders, jwtProviderSubject } from '../plan/jwt-provider-change.js';
import type { Hold, Plan } from '../plan/plan.js';
import { type JwtProviderChange, planJwtProviders } from '../plan/plan-jwt-providers.js';
import { parseEntryKeys } from '../plan/user-tokens.js';
import { planFleet } from '../state/fleet.js';
import { toTriggers } from '../state/observe-consul.js';
import { aclBudget } from './acl/acl-budget.js';
import type { ReconcilerDeps } from './deps.js';
import { guardFacts } from './guard-facts.js';
import { tellHolds } from './holds.js';
import { lacksFacts, needsUserTokens, ourJwtProviders, readUserTokenFacts } from './user-token-facts.js';

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
  const names = planned(plans, deps).flatMap((change) => providerOfChange(change) ?? []);
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
  if (pending.length > 0) await recoverPendingJwtProviders(key, pending, deps, signal);
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
  const mine = planned(plans, deps).filter((each) => providerOfChange(each) === provider);
  const guarded = guard(
    guardableJwtProviders(mine, record.lastWritten),
    await guardFacts([], record.holds, deps),
  );
  let refusal: SyncError | undefined;
  for (const change of guarded.changes) {
    const { name, verb } = change;
    if (verb === 'deleted') {
      // An intention that a watch has yet to show could name it. Not put into the world: the watch must still see it.
      const all = await deps.consul.intentions.list(signal);
      if (!planned(plans, deps, all).some((each) => each.name === name && each.verb === verb)) continue;
    }
    refusal ??= await writeJwtProvider(key, change, cause, deps, signal);
  }
  await tell(guarded.holds);
  return refusal;
}

export function providerOfChange({ before, after }: JwtProviderChange): string | undefined {
  return providerOfEntry(after ?? before ?? { meta: {} });
}

function isJwtSubject(subject: string): boolean {
  return subject.startsWith('jwt-provider/');
}

/** The destinations that have something to write, or wait to. */
function waiting(plans: readonly Plan[]): readonly ServiceName[] {
  return plans.flatMap(({ key, changes, awaits = [] }) =>
    key.kind === 'destination' && changes.length + awaits.length > 0
      ? [{ partition: key.partition, namespace: key.namespace, name: key.service }]
      : [],
  );
}
