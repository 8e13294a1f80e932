import { readJwtProviders } from '../apply/jwt-provider-write.js';
import type { Cause } from '../model/cause.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { formatKey, providerKey } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import { providerOfEntry } from '../plan/acl/jwt-requirement.js';
import { jwtProviderName } from '../plan/acl/object-names.js';
import { jwtProviderSubject } from '../plan/jwt-provider-change.js';
import type { Plan } from '../plan/plan.js';
import { type JwtProviderChange, planJwtProviders } from '../plan/plan-jwt-providers.js';
import { parseEntryKeys } from '../plan/user-tokens.js';
import { planFleet } from '../state/fleet.js';
import { toTriggers } from '../state/observe-consul.js';
import { aclBudget } from './acl/acl-budget.js';
import type { ReconcilerDeps as Deps } from './deps.js';

/** The jobs of the providers whose entries are to be written or removed. */
export function jwtProviderTriggers(
  plans: readonly Plan[],
  cause: Cause,
  deps: Pick<Deps, 'world'>,
): readonly Trigger[] {
  const names = planned(plans, deps).flatMap((change) => providerOfChange(change) ?? []);
  return [...new Set(names)].map((name) => ({ key: providerKey(name), cause, urgent: true }));
}

/** Reads the entries after a watch saw a change; triggers for the keys with work. */
export async function observeJwtProviders(
  deps: Pick<Deps, 'consul' | 'world' | 'window' | 'clock' | 'acl'>,
  cause: Cause,
  signal: AbortSignal,
): Promise<readonly Trigger[]> {
  const { world, clock } = deps;
  await readJwtProviders(deps, signal);
  if (!world.userTokens.drainChanged()) return [];
  const now = clock.now();
  const plans = planFleet(world, deps.window, now, aclBudget(deps, now));
  return [...jwtProviderTriggers(plans, cause, deps), ...toTriggers(waiting(plans), cause)];
}

/** The changes of jwt-provider entries that the plans of the whole fleet need. */
export function planned(
  plans: readonly Plan[],
  { world }: Pick<Deps, 'world'>,
  intentions: Iterable<IntentionEntry> = world.everyEntry(),
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

export function providerOfChange({ before, after }: JwtProviderChange): string | undefined {
  return providerOfEntry(after ?? before ?? { meta: {} });
}

/** The destinations with changes, holds, or changes that wait for a jwt-provider. */
export function waiting(plans: readonly Plan[]): readonly ServiceName[] {
  return plans.flatMap(({ key, changes, holds, awaits = [] }) =>
    key.kind === 'destination' && changes.length + holds.length + awaits.length > 0
      ? [{ partition: key.partition, namespace: key.namespace, name: key.service }]
      : [],
  );
}

/**
 * Takes the key addresses of the last write for those of the providers until these answer. The existing entries may be
 * somebody's edit.
 */
export async function restoreJwksUris({ world, journal }: Pick<Deps, 'world' | 'journal'>): Promise<void> {
  const { mapping, userTokens } = world;
  for (const provider of mapping.providers) {
    const read = world.beginRead();
    const { lastApplied } = await journal.read(formatKey(providerKey(provider)));
    const written = lastApplied.get(jwtProviderSubject(jwtProviderName(mapping.owner, provider)));
    const keys = written === undefined ? undefined : parseEntryKeys(written);
    if (keys !== undefined && keys.issuer === mapping.acl.providers.get(provider)?.issuer)
      userTokens.putJwksUri(provider, keys.jwksUri, read);
  }
}
