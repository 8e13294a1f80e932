import { causeOf } from '../apply/decision-drafts.js';
import { readJwtProviders } from '../apply/jwt-provider-write.js';
import { providerKey } from '../model/key.js';
import type { Mapping } from '../model/rule.js';
import type { Job } from '../model/trigger.js';
import { jwtProviderName } from '../plan/acl/object-names.js';
import type { Plan } from '../plan/plan.js';
import { providersWrittenBy } from '../plan/plan-jwt-providers.js';
import type { JobResult } from '../queue/queue.js';
import type { ReconcilerDeps } from './deps.js';

/** Between looks whether a jwt-provider stands; longer the longer it takes, until the sweep takes over. */
const SOONEST_LOOK_MS = 50;
const LATEST_LOOK_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;

/**
 * Reads the entries anew where a destination's plan would name one: what is written must name only what stands. True
 * if it did, and the plan is to be made again. Between this look and the write Consul itself watches over it: it
 * refuses an intention whose provider is gone, and the deletion of one that is named.
 */
export async function refreshJwtProviders(
  plan: Plan,
  deps: Pick<ReconcilerDeps, 'consul' | 'world'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (!plan.changes.some((change) => providersWrittenBy(change).length > 0)) return false;
  await readJwtProviders(deps, signal);
  return true;
}

/**
 * A destination whose jwt-provider does not stand yet: its provider's job writes it, and the destination is planned
 * again. Undefined where nothing is waited for, or for too long.
 */
export async function waitForJwtProviders(
  key: string,
  awaits: readonly string[],
  job: Job,
  { world, clock, queue }: Pick<ReconcilerDeps, 'world' | 'clock' | 'queue'>,
): Promise<JobResult | undefined> {
  const isFirst = !world.userTokens.isWaiting(key);
  const waitedMs = world.userTokens.waitedMs(key, awaits.length > 0, clock.now());
  if (awaits.length === 0 || waitedMs > LONGEST_WAIT_MS) return undefined;
  const cause = causeOf(job);
  // Once: what Consul refuses it refuses again, and each time is a decision.
  if (isFirst) await queue.add(awaits.map((name) => ({ key: providerKey(name), cause, urgent: true })));
  return { kind: 'retry', afterMs: Math.min(Math.max(waitedMs / 2, SOONEST_LOOK_MS), LATEST_LOOK_MS) };
}

/** The providers whose entry this plan's writes leave unnamed here: their jobs look whether anything else names it. */
export function releasedProviders({ changes }: Plan, mapping: Mapping): readonly string[] {
  const before = changes.flatMap((change) =>
    change.before?.kind === 'http' ? providersWrittenBy({ after: change.before }) : [],
  );
  const after = new Set(changes.flatMap(providersWrittenBy));
  return mapping.providers.filter((provider) => {
    const name = jwtProviderName(mapping.owner, provider);
    return before.includes(name) && !after.has(name);
  });
}
