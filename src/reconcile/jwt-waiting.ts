import { causeOf } from '../apply/decision-drafts.js';
import { readJwtProviders } from '../apply/jwt-provider-write.js';
import { providerKey } from '../model/key.js';
import type { Mapping } from '../model/rule.js';
import type { Job, Trigger } from '../model/trigger.js';
import { jwtProviderName } from '../plan/object-names.js';
import type { Plan } from '../plan/plan.js';
import { providersWrittenBy } from '../plan/plan-jwt-providers.js';
import type { DestinationDeps } from './deps.js';

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
 * Queues the providers whose jwt-provider a destination waits for, once: Consul would refuse the same content again, and each
 * refusal is a decision. The job of the provider queues the destination again, and so does a watch that sees the entry.
 */
export async function askForJwtProviders(
  key: string,
  awaits: readonly string[],
  job: Job,
  { world, queue }: Pick<DestinationDeps, 'world' | 'queue'>,
): Promise<void> {
  if (!world.userTokens.beginsToWait(key, awaits.length > 0)) return;
  const cause = causeOf(job);
  await queue.add(awaits.map((name) => ({ key: providerKey(name), cause, urgent: true })));
}

/**
 * What the run of a destination that waits leaves to the one that opens: whose change caused it, and no evidence, which would
 * excuse later losses.
 */
export function causesToKeep({ triggers }: Job): readonly Trigger[] {
  return triggers.flatMap(({ key, cause, client }) => (client === undefined ? [] : [{ key, cause, client }]));
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
