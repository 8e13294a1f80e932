import { compareText } from '../model/compare-text.js';
import type { Mapping } from '../model/rule.js';
import type { AclPlan } from '../plan/acl/acl-change.js';
import { createSteps } from '../plan/acl/acl-steps.js';
import { toForbidden } from '../plan/acl/diff-acl.js';
import type { DesiredAcl } from '../plan/acl/login.js';
import { isOurs } from '../plan/acl/object-names.js';
import { policyOf } from '../plan/mode.js';
import type { AclCache } from './acl-cache.js';

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
