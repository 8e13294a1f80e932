import { readJwtProviders } from '../apply/jwt-provider-write.js';
import type { Cause } from '../model/cause.js';
import type { ServiceName } from '../model/intention.js';
import { formatKey, providerKey } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';
import type { UserTokenFacts } from '../plan/destination-input.js';
import { jwtProviderSubject } from '../plan/jwt-provider-change.js';
import { providerOfEntry } from '../plan/jwt-requirement.js';
import { jwtProviderName } from '../plan/object-names.js';
import type { Plan } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import { type JwtProviderChange, planJwtProviders } from '../plan/plan-jwt-providers.js';
import { touchedProviders } from '../plan/touched-providers.js';
import { parseEntryKeys } from '../plan/user-tokens.js';
import { runCooperatively } from '../run-cooperatively.js';
import { inputOf } from '../state/fleet.js';
import { toTriggers } from '../state/observe-consul.js';
import type { ReconcilerDeps as Deps } from './deps.js';

/** Destinations that are planned at once: some milliseconds. */
const IN_ONE_PIECE = 50;

/** The jobs of the providers whose entries are to be written or removed. */
export function jwtProviderTriggers(
  plans: readonly Plan[],
  cause: Cause,
  deps: Pick<Deps, 'world'>,
): readonly Trigger[] {
  return triggersOf(planned(plans, deps), cause);
}

function triggersOf(changes: readonly JwtProviderChange[], cause: Cause): readonly Trigger[] {
  const names = changes.flatMap((change) => providerOfChange(change) ?? []);
  return [...new Set(names)].map((name) => ({ key: providerKey(name), cause, urgent: true }));
}

/** Reads the entries after a watch saw a change; triggers for the keys with work. */
export async function observeJwtProviders(
  deps: Pick<Deps, 'consul' | 'world' | 'clock'>,
  cause: Cause,
  signal: AbortSignal,
): Promise<readonly Trigger[]> {
  const { world } = deps;
  await readJwtProviders(deps, signal);
  const before = world.userTokens.drainChanged();
  if (before === undefined) return [];
  const changes: JwtProviderChange[] = [];
  for (const provider of touchedProviders(before, world.userTokens.facts, world.mapping))
    changes.push(...(await plannedFor(provider, deps, signal)));
  return [...triggersOf(changes, cause), ...toTriggers(await waitingSince(before, deps, signal), cause)];
}

/**
 * The changes of one provider's entry. Destinations that may need the entry are planned, in turns, only if it depends on
 * them, and only until one of them decides it.
 */
export function plannedFor(
  provider: string,
  deps: Pick<Deps, 'world' | 'clock'>,
  signal: AbortSignal,
  isNamed = deps.world.jwtProviderUse.isNamed,
): Promise<readonly JwtProviderChange[]> {
  const changesWith = (...plans: readonly Pick<Plan, 'changes' | 'awaits' | 'names'>[]) =>
    planned(plans, deps, isNamed).filter((change) => providerOfChange(change) === provider);
  const unneeded = changesWith();
  const isUnneeded = (changes: readonly JwtProviderChange[]) => textOf(changes) === textOf(unneeded);
  function* planning(): Generator<void, readonly JwtProviderChange[]> {
    if (isUnneeded(changesWith({ changes: [], awaits: [provider] }))) return unneeded;
    for (const plan of plansOf([provider], deps)) {
      if (plan === undefined) yield;
      else {
        const changes = changesWith(plan);
        if (!isUnneeded(changes)) return changes;
      }
    }
    return unneeded;
  }
  return runCooperatively(planning(), signal);
}

/** The destinations with changes or holds, or that wait for a jwt-provider, of those that a change of facts affects. */
export function waitingSince(
  before: UserTokenFacts,
  deps: Pick<Deps, 'world' | 'clock'>,
  signal: AbortSignal,
): Promise<readonly ServiceName[]> {
  const { mapping, userTokens } = deps.world;
  function* planning(): Generator<void, readonly ServiceName[]> {
    const found: ServiceName[] = [];
    for (const plan of plansOf(touchedProviders(before, userTokens.facts, mapping), deps)) {
      if (plan === undefined) yield;
      else if (plan.key.kind === 'destination' && hasWork(plan))
        found.push({ partition: plan.key.partition, namespace: plan.key.namespace, name: plan.key.service });
    }
    return found;
  }
  return runCooperatively(planning(), signal);
}

/** The plans, before the guards, of the destinations that may need the entries; undefined after each piece of the work. */
function* plansOf(
  providers: readonly string[],
  { world, clock }: Pick<Deps, 'world' | 'clock'>,
): Generator<Plan | undefined> {
  // The end of a grace touches destinations.
  world.claimStatuses(clock.now());
  let plans = 0;
  for (const provider of providers)
    for (const destination of world.jwtProviderUse.destinationsOf(provider)) {
      yield planDestination(inputOf(world, destination, clock.now()));
      if (++plans % IN_ONE_PIECE === 0) yield undefined;
    }
}

/** The changes of jwt-provider entries that these plans need. */
export function planned(
  plans: readonly Pick<Plan, 'changes' | 'awaits' | 'names'>[],
  { world }: Pick<Deps, 'world'>,
  isNamed = world.jwtProviderUse.isNamed,
): readonly JwtProviderChange[] {
  return planJwtProviders({
    mapping: world.mapping,
    userTokens: world.userTokens.facts,
    plans,
    isNamed,
    isRead: (provider) => {
      const { clients: unreadable, hasUnnamed } = world.directories.unreadableOf(provider);
      return world.hasDirectory(provider) && unreadable.size === 0 && !hasUnnamed;
    },
  });
}

export function providerOfChange({ before, after }: JwtProviderChange): string | undefined {
  return providerOfEntry(after ?? before ?? { meta: {} });
}

function hasWork({ changes, holds, awaits = [] }: Plan): boolean {
  return changes.length + holds.length + awaits.length > 0;
}

function textOf(changes: readonly JwtProviderChange[]): string {
  return JSON.stringify(changes.map(({ name, verb }) => [name, verb]));
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
