import { causeOf } from '../apply/decision-drafts.js';
import { recoverPendingJwtProviders, writeJwtProvider } from '../apply/jwt-provider-write.js';
import { recordHolds } from '../apply/record-holds.js';
import type { SyncError } from '../errors.js';
import { formatKey, providerKey } from '../model/key.js';
import { type Job, type Trigger, triggersOf } from '../model/trigger.js';
import { guard } from '../plan/guards/guards.js';
import { guardableJwtProviders } from '../plan/jwt-provider-change.js';
import type { Hold } from '../plan/plan.js';
import { namedIn } from '../plan/plan-jwt-providers.js';
import {
  lacksFacts,
  needsUserTokens,
  ourJwtProviders,
  readUserTokenFacts,
} from '../read/user-token-facts.js';
import { toTriggers } from '../state/observe-consul.js';
import { asPlanned } from './as-planned.js';
import type { JwtProviderDeps } from './deps.js';
import { guardFacts } from './guard-facts.js';
import { plannedFor, waitingSince } from './jwt-provider-plans.js';

/**
 * Makes the jwt-provider entry of one identity provider equal to what the destinations need: written before an intention
 * names it, removed once none does. The only writer of that entry. Resolves with Consul's refusal of the content. The
 * next comparison tries it again.
 */
export async function reconcileJwtProvider(
  provider: string,
  job: Job,
  deps: JwtProviderDeps,
  signal: AbortSignal,
): Promise<SyncError | undefined> {
  const { world, journal } = deps;
  const key = formatKey(providerKey(provider));
  const record = await journal.read(key);
  const pending = record.pending.filter(({ resource }) => resource.kind === 'jwt-provider');
  const overtaken = await recoverPendingJwtProviders(key, pending, deps, signal);
  const isNeeded = needsUserTokens(world.mapping);
  const cause = causeOf(job);
  const report = (holds: readonly Hold[]) => recordHolds(key, record, holds, cause, deps, isJwtSubject);
  if (!isNeeded && ourJwtProviders(world).length === 0) {
    await report([]);
    return undefined;
  }
  // Destinations that need the entry, or need it no longer, ask for it.
  if (job.triggers.every(isAboutOthers) && !(isNeeded && lacksFacts(world))) return undefined;
  const before = world.userTokens.facts;
  if (isNeeded) await readUserTokenFacts(deps, signal);
  const isAsPlanned = asPlanned(deps, () => [world.userTokens.facts]);
  // These destinations waited for a fact.
  if (world.userTokens.facts !== before)
    await deps.queue.add(toTriggers(await waitingSince(before, deps, signal), cause));
  const mine = await plannedFor(provider, deps, signal);
  const guarded = guard(
    guardableJwtProviders(mine, record.lastApplied),
    await guardFacts([], record.holds, deps, job.triggers),
  );
  let refusal: SyncError | undefined;
  for (const change of guarded.changes) {
    const { name, verb } = change;
    if (verb === 'deleted') {
      // An intention that the watch has not shown yet could name it. Not put into the world: the watch must still see it.
      const all = await deps.consul.intentions.list(signal);
      const isListed = namedIn(all);
      const isNamed = (each: string) => isListed(each) || world.jwtProviderUse.isNamed(each);
      const still = await plannedFor(provider, deps, signal, isNamed);
      if (!still.some((each) => each.name === name && each.verb === verb)) continue;
    }
    if (refusal !== undefined) break;
    // An update may admit other tokens than before, so it must be what the present mapping says.
    const isStill = () =>
      isAsPlanned({ widens: verb !== 'deleted' }) &&
      (verb !== 'deleted' || !world.jwtProviderUse.isNamed(name));
    const end = await writeJwtProvider(key, change, overtaken, cause, deps, signal, isStill);
    if (end.kind === 'refused') refusal = end.error;
    if (end.kind === 'stale') await deps.queue.add([{ key: providerKey(provider), cause }]);
  }
  // Also without a write: a destination may have been planned before an earlier one, and asked after it.
  if (refusal === undefined) await deps.queue.add(triggersOf(world.userTokens.waiting, cause));
  await report(guarded.holds);
  return refusal;
}

/** A read of the directory or of members, or an order about a session. */
function isAboutOthers({ fullRead, members, order }: Trigger): boolean {
  return fullRead === true || members === true || order !== undefined;
}

function isJwtSubject(subject: string): boolean {
  return subject.startsWith('jwt-provider/');
}
