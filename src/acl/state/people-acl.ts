import type { AclSnapshot } from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import { formatKey, providerKey } from '../../model/key.js';
import type { Members } from '../../model/members.js';
import type { Mapping } from '../../model/rule.js';
import type { GrantReason } from '../../plan/destination-input.js';
import { policyOf } from '../../plan/mode.js';
import { peopleName } from '../../plan/object-names.js';
import type { WorldState } from '../../state/world-state.js';
import { desiredPeople } from '../plan/desired-people.js';
import { providerOfPeople } from '../plan/person.js';
import {
  existingMembers,
  groupsOf,
  isPeoples,
  type PeopleFacts,
  type PeoplePlan,
  planPeople,
} from '../plan/plan-people.js';
import type { AclRules } from '../plan/rules-text.js';
import { type AclCache, isPeoplesName } from './acl-cache.js';

/** What this process knows about people and their ACL objects. */
export interface PeoplesAcl {
  readonly cache: AclCache;
  /** Members of all groups that the mapping named at the last read, by provider. */
  readonly members: ReadonlyMap<string, Members>;
  /** The names of people's objects, by provider, for a version of the cache. */
  readonly peoplesNames: Map<string, { readonly version: number; readonly names: readonly string[] }>;
  /** Providers whose people have objects, for a version of the cache. */
  peoplesProviders: { readonly version: number; readonly providers: ReadonlySet<string> } | undefined;
  isUnderWay(key: string): boolean;
  tools(mapping: Mapping): { readonly parse: (text: string) => AclRules };
}

interface Known {
  readonly world: WorldState;
  readonly acl: PeoplesAcl;
}

/** The members of every mapped group; undefined until they are known for each group. */
export function knownMembers(provider: string, { acl, world }: Known): Members | undefined {
  const known = acl.members.get(provider);
  const groups = groupsOf(world.mapping, provider);
  return known !== undefined && groups.every((group) => known.has(group)) ? known : undefined;
}

/** The objects of a provider's people, as last read. */
export function cachedPeople(provider: string, deps: Known): AclSnapshot {
  return deps.acl.cache.snapshot(peoplesNames(provider, deps), policiesOfPeople(provider, deps));
}

/** The plan of a provider's people from the last read state, before the guards. */
export function plannedPeople(provider: string, deps: Known): PeoplePlan {
  return planPeople(factsOfPeople(provider, deps), deps.acl);
}

/** The plan of one provider's people, before the guards. */
export interface PlannedPeople {
  readonly provider: string;
  readonly plan: PeoplePlan;
  /** Whether the members of its groups are known. */
  readonly isKnown: boolean;
  /** A job of these people was writing by an earlier plan when this one was made. */
  readonly isUnderWay: boolean;
}

/** The plans of all people by the last read. */
export function planPeopleFleet(deps: Known): readonly PlannedPeople[] {
  return providersOfPeople(deps).map((provider) => ({
    provider,
    plan: plannedPeople(provider, deps),
    isKnown: knownMembers(provider, deps) !== undefined,
    isUnderWay: deps.acl.isUnderWay(formatKey(providerKey(provider))),
  }));
}

/** The people who have access by each group, as last read. */
export function admittedPeople(provider: string, deps: Known): Members {
  return existingMembers({
    provider,
    mapping: deps.world.mapping,
    actual: deps.acl.cache.snapshot(peoplesNames(provider, deps), []),
  });
}

/** Why people gain access, where clients gain it for this reason. */
export function reasonOfPeople(grantReason: GrantReason): PeopleFacts['grantReason'] {
  return grantReason === 'MappingChanged' ? grantReason : 'MembershipAdded';
}

/** The facts from the last read state. `read`: what a job has just read. */
export function factsOfPeople(
  provider: string,
  deps: Known,
  read: Partial<Pick<PeopleFacts, 'actual' | 'lastApplied' | 'evidence' | 'grantReason'>> = {},
): PeopleFacts {
  const { mapping } = deps.world;
  return {
    provider,
    mapping,
    members: knownMembers(provider, deps),
    actual: read.actual ?? cachedPeople(provider, deps),
    lastApplied: read.lastApplied ?? deps.world.records.of(formatKey(providerKey(provider))),
    evidence: read.evidence ?? [],
    grantReason: read.grantReason ?? reasonOfPeople(deps.world.mappingDoubt.grantReason),
    plansNarrowing: policyOf(mapping).plansNarrowing,
    kept: new Set(),
    redirects: deps.world.userTokens.redirects(provider),
  };
}

/** Every provider whose people have objects, should have objects, or may get objects through a plan that is under way. */
export function providersOfPeople(deps: Known): readonly string[] {
  const { mapping } = deps.world;
  const mapped = mapping.providers.filter(
    (provider) =>
      groupsOf(mapping, provider).length > 0 || deps.acl.isUnderWay(formatKey(providerKey(provider))),
  );
  return [...new Set([...mapped, ...existingProviders(deps)])].toSorted(compareText);
}

function existingProviders({ world, acl }: Known): ReadonlySet<string> {
  const version = acl.cache.peoplesVersion;
  if (acl.peoplesProviders?.version === version) return acl.peoplesProviders.providers;
  const { owner } = world.mapping;
  const providers = new Set<string>();
  for (const [name, { role, authMethod }] of acl.cache.owned) {
    // A fast check, because there can be ten thousand names of clients.
    if (!isPeoplesName(name)) continue;
    for (const each of [role, authMethod]) {
      const provider = each && providerOfPeople(owner, each.object);
      if (provider !== undefined) providers.add(provider);
    }
  }
  acl.peoplesProviders = { version, providers };
  return providers;
}

/** In lower case: the auth method, the roles that its rules bind, and every role of a person. */
export function peoplesNames(provider: string, { world, acl }: Known): readonly string[] {
  const known = acl.peoplesNames.get(provider);
  if (known?.version === acl.cache.peoplesVersion) return known.names;
  const { owner } = world.mapping;
  const method = peopleName(owner, provider).toLowerCase();
  const names = new Set([method]);
  for (const { object } of acl.cache.of(method).bindingRules) names.add(object.bindName.toLowerCase());
  for (const [name, { role }] of acl.cache.owned)
    if (
      isPeoplesName(name) &&
      role !== undefined &&
      isPeoples(owner, provider, role.object.name, role.object.description)
    )
      names.add(name);
  acl.peoplesNames.set(provider, { version: acl.cache.peoplesVersion, names: [...names] });
  return [...names];
}

/** The policies of all mapped groups, independent of their members. */
export function policiesOfPeople(provider: string, { world, acl }: Known): readonly string[] {
  const { mapping } = world;
  if (!mapping.providers.includes(provider)) return [];
  const members = new Map(groupsOf(mapping, provider).map((group) => [group, ['x']]));
  const { parse } = acl.tools(mapping);
  const { desired } = desiredPeople({ provider, mapping, settings: mapping.acl, members, parse });
  return (desired?.policies ?? []).map(({ name }) => name);
}
