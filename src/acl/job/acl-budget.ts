import { clientKey, formatKey, providerKey } from '../../model/key.js';
import type { RevocationBudget } from '../../plan/guards/guard.js';
import { clientName } from '../../plan/object-names.js';
import { type ClientId, clientText, parseClientText } from '../../plan/world.js';
import { countInSlices } from '../../reconcile/count-in-slices.js';
import type { ReconcilerDeps } from '../../reconcile/deps.js';
import { type AclBudget, budgetOf, inferredAcrossFleet, NO_ACL } from '../../state/fleet.js';
import { isAclSubject } from '../apply/acl-draft.js';
import { isAclActive } from '../apply/acl-state.js';
import { aclSubject } from '../plan/acl-change.js';
import { clientOf, ownersOf } from '../state/acl-owners.js';
import { orphanedObjects } from '../state/orphaned-acl.js';
import { cachedPeople, plannedPeople, providersOfPeople } from '../state/people-acl.js';
import { hasInferredLoss, planClientAcl } from '../state/plan-client-acl.js';

const SLICE = 100;

type Known = Pick<ReconcilerDeps, 'world' | 'acl'>;
type Counting = Pick<ReconcilerDeps, 'world' | 'acl' | 'window'>;

/** Counts from the last reads, so that the loss of many clients is counted as a whole, whichever job comes first. */
export function aclBudget(deps: Counting, now: number): AclBudget {
  if (!isAclActive(deps)) return NO_ACL;
  const people = countPeople(deps);
  countClients(deps, now);
  const { world, window } = deps;
  const unknown = [...(orphanedObjects(deps)?.names.keys() ?? [])];
  const inferred = new Set([...people.inferred, ...unknown]);
  const isPlanned = (subject: string) =>
    inferred.has(subject) || world.inferredAcl.lossOf(subject) !== undefined;
  return {
    owned: people.owned + unknown.length + ownersOf(deps).size,
    planned:
      window.rejections.countOf([...inferred], now) + window.rejections.countIn(world.inferredAcl, now),
    begun:
      window.usedOf(isPlanned, now) -
      window.underWayOf((subject) => isAclSubject(subject) && !isPlanned(subject), now),
  };
}

/** What the mass guard counts across the fleet: inferred removals of edges, and those of ACL objects in `counted`. */
export function fleetBudget({ world, window }: Counting, now: number, counted: AclBudget): RevocationBudget {
  return budgetOf(world, window, now, (share) => inferredAcrossFleet(world, window, now, share), counted);
}

/** Counts the clients in advance: after a read that renewed everything there are thousands. */
export async function countAhead(deps: Known & Pick<ReconcilerDeps, 'clock'>): Promise<void> {
  if (isAclActive(deps)) await countInSlices((now) => countClients(deps, now, SLICE), deps);
}

/** Counts at most `limit` clients; false where more are left. */
function countClients(deps: Known, now: number, limit?: number): boolean {
  const { world } = deps;
  const owners = ownersOf(deps);
  // The end of a claim's grace touches its client.
  world.claimStatuses(now);
  return world.inferredAcl.update(
    () => [...owners.values()].map(clientText),
    (key) => inferredOf(parseClientText(key), deps, now),
    limit,
  );
}

/** The client's subject, if a loss of its access is inferred. */
function inferredOf(id: ClientId, deps: Known, now: number): readonly string[] {
  const { world, acl } = deps;
  const name = clientName(world.mapping.owner, id);
  const existing = acl.cache.of(name);
  if (clientOf(existing, world.mapping.owner) === undefined) return [];
  const lastApplied = world.records.of(formatKey(clientKey(id.provider, id.clientId)));
  const facts = { lastApplied, evidence: [], grantReason: 'ScopeGranted', plansNarrowing: true } as const;
  const plan = planClientAcl(id, { ...facts, actual: acl.cache.snapshot([name], []) }, deps, now);
  return hasInferredLoss(plan.changes) ? [plan.subject] : [];
}

/** The roles of people, and the subjects of those whose removal is inferred. */
function countPeople(deps: Known): { readonly owned: number; readonly inferred: readonly string[] } {
  const { world, acl } = deps;
  let owned = 0;
  const inferred: string[] = [];
  for (const provider of providersOfPeople(deps)) {
    const lastApplied = world.records.of(formatKey(providerKey(provider)));
    const follows = [world.mapping, acl.members.get(provider), lastApplied, acl.cache.peoplesVersion];
    const known = acl.peoplesCounts.get(provider);
    const count = known?.follows.every((each, at) => each === follows[at])
      ? known
      : {
          follows,
          owned: cachedPeople(provider, deps).roles.length,
          inferred: [...plannedPeople(provider, deps).inferred.keys()].map((name) =>
            aclSubject('acl-role', name),
          ),
        };
    acl.peoplesCounts.set(provider, count);
    owned += count.owned;
    inferred.push(...count.inferred);
  }
  return { owned, inferred };
}
