import { causeOf } from '../apply/decision-drafts.js';
import { recoverPendingJwtProviders, writeJwtProvider } from '../apply/jwt-provider-write.js';
import type { SyncError } from '../errors.js';
import { formatKey, providerKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { guard } from '../plan/guards/guards.js';
import { guardableJwtProviders } from '../plan/jwt-provider-change.js';
import type { Hold } from '../plan/plan.js';
import { planFleet } from '../state/fleet.js';
import { toTriggers } from '../state/observe-consul.js';
import { aclBudget } from './acl/acl-budget.js';
import type { ReconcilerDeps } from './deps.js';
import { guardFacts } from './guard-facts.js';
import { recordHolds } from './holds.js';
import { planned, providerOfChange, waiting } from './jwt-provider-plans.js';
import { lacksFacts, needsUserTokens, ourJwtProviders, readUserTokenFacts } from './user-token-facts.js';

/**
 * Makes the jwt-provider entry of one identity provider equal to what the destinations need: written before an
 * intention names it, removed once none does. The only writer of that entry. Resolves with what Consul refused, which it
 * would refuse again: the next comparison tries it, and no directory waits for it.
 */
export async function reconcileJwtProvider(
  provider: string,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<SyncError | undefined> {
  const { world, journal } = deps;
  const key = formatKey(providerKey(provider));
  const record = await journal.read(key);
  const pending = record.pending.filter(({ resource }) => resource.kind === 'jwt-provider');
  const overtaken = await recoverPendingJwtProviders(key, pending, deps, signal);
  const isNeeded = needsUserTokens(world.mapping);
  const cause = causeOf(job);
  const tell = (holds: readonly Hold[]) => recordHolds(key, record, holds, cause, deps, isJwtSubject);
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
    guardableJwtProviders(mine, record.lastApplied),
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
    refusal ??= await writeJwtProvider(key, change, overtaken, cause, deps, signal);
  }
  await tell(guarded.holds);
  return refusal;
}

function isJwtSubject(subject: string): boolean {
  return subject.startsWith('jwt-provider/');
}
