import { compareText } from '../../model/compare-text.js';
import { parseKey } from '../../model/key.js';
import type { Mapping } from '../../model/rule.js';
import { policyOf } from '../../plan/mode.js';
import { isOurs } from '../../plan/object-names.js';
import type { WorldState } from '../../state/world-state.js';
import type { AclChange, AclPlan } from '../plan/acl-change.js';
import { createSteps } from '../plan/acl-steps.js';
import { toForbidden } from '../plan/diff-acl.js';
import type { DesiredAcl } from '../plan/login.js';
import type { AclCache } from './acl-cache.js';
import { type PeoplesAcl, policiesOfPeople } from './people-acl.js';
import { type KnownAcl, objectNamesOf } from './plan-client-acl.js';

/**
 * Removes owned policies that no role links and no plan will link. Clients and people share policies, so the plan of one
 * client cannot know whether a policy is unused.
 */
export function unlinkedPolicies(
  plans: readonly { readonly desired: DesiredAcl }[],
  { cache }: { readonly cache: Pick<AclCache, 'owned' | 'policies'> },
  mapping: Pick<Mapping, 'owner' | 'mode'>,
): AclPlan {
  const { owner } = mapping;
  const linked = new Set<string>();
  const link = (names: readonly string[]) => {
    for (const name of names) linked.add(name.toLowerCase());
  };
  for (const { role } of cache.owned.values()) link(role?.object.policies ?? []);
  for (const { desired } of plans) link(desired.policies.map(({ name }) => name));
  const steps = createSteps({
    why: () => ({ reason: 'MappingChanged', isInferred: false, scopes: [] }),
    lastApplied: new Map(),
  });
  const changes = [...cache.policies]
    .filter(([name, { object }]) => !linked.has(name) && isOurs(owner, object.name, object.description))
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([, { id, object }]) => steps.remove(id, { kind: 'acl-policy', object }, 'neither'));
  return policyOf(mapping).plansNarrowing
    ? { changes, holds: [] }
    : { changes: [], holds: changes.map(toForbidden) };
}

/**
 * Whether no role links the policy of a planned removal by now, and no job that has planned wants to. Consul would silently
 * take the policy from the role.
 */
export function isStillUnlinked(
  { resource }: Pick<AclChange, 'resource'>,
  deps: {
    readonly world: WorldState;
    readonly acl: PeoplesAcl & KnownAcl & { readonly underWay: ReadonlySet<string> };
  },
): boolean {
  const { cache, underWay } = deps.acl;
  const removed = resource.name?.toLowerCase();
  const links = (names: readonly string[]) => names.some((name) => name.toLowerCase() === removed);
  for (const { role } of cache.owned.values()) if (links(role?.object.policies ?? [])) return false;
  for (const text of underWay) {
    const key = parseKey(text);
    if (key?.kind === 'provider' && links(policiesOfPeople(key.name, deps))) return false;
    if (key?.kind !== 'client' || key.by !== 'clientId') continue;
    if (links(objectNamesOf({ provider: key.provider, clientId: key.value }, deps).policies)) return false;
  }
  return true;
}
