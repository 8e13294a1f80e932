import { causeOf } from '../apply/decision-drafts.js';
import { readJwtProviders } from '../apply/jwt-provider-write.js';
import { providerKey } from '../model/key.js';
import type { Mapping } from '../model/rule.js';
import type { Job } from '../model/trigger.js';
import { jwtProviderName } from '../plan/object-names.js';
import type { Plan } from '../plan/plan.js';
import { providersWrittenBy } from '../plan/plan-jwt-providers.js';
import type { JobResult } from '../queue/queue.js';
import type { DestinationDeps } from './deps.js';

/** Between reads whether a jwt-provider exists; longer the longer it takes, until the sweep goes on. */
const SOONEST_LOOK_MS = 50;
const LATEST_LOOK_MS = 5_000;
const MAX_WAIT_MS = 60_000;

/**
 * Reads the entries again if a destination's plan names one, because an intention must name only existing ones. True if it
 * read, and the plan must be made again. After this read Consul itself prevents errors: it refuses an intention whose
 * provider is missing, and the deletion of a provider that is named.
 */
export async function refreshJwtProviders(
  plan: Plan,
  deps: Pick<DestinationDeps, 'consul' | 'world'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (!plan.changes.some((change) => providersWrittenBy(change).length > 0)) return false;
  await readJwtProviders(deps, signal);
  return true;
}

/**
 * Queues the provider whose jwt-provider a destination waits for, and plans the destination again later. Undefined if it
 * waits for none, or for too long.
 */
export async function waitForJwtProviders(
  key: string,
  awaits: readonly string[],
  job: Job,
  { world, clock, queue }: Pick<DestinationDeps, 'world' | 'clock' | 'queue'>,
): Promise<JobResult | undefined> {
  const isFirst = !world.userTokens.isWaiting(key);
  const waitedMs = world.userTokens.waitedMs(key, awaits.length > 0, clock.now());
  if (awaits.length === 0 || waitedMs > MAX_WAIT_MS) return undefined;
  const cause = causeOf(job);
  // Once: Consul would refuse the same content again, and each refusal is a decision.
  if (isFirst) await queue.add(awaits.map((name) => ({ key: providerKey(name), cause, urgent: true })));
  return { kind: 'retry', afterMs: Math.min(Math.max(waitedMs / 2, SOONEST_LOOK_MS), LATEST_LOOK_MS) };
}

/** The providers whose entry this plan no longer names: their jobs check whether another intention names it. */
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
