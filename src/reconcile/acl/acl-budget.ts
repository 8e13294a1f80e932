import { setImmediate } from 'node:timers/promises';
import { clientKey, formatKey, providerKey } from '../../model/key.js';
import { aclSubject } from '../../plan/acl/acl-change.js';
import { clientName } from '../../plan/acl/quote.js';
import { compareText } from '../../plan/compare.js';
import { clientOfDescription, isOwnedDescription } from '../../plan/ownership.js';
import { type ClientId, clientText } from '../../plan/world.js';
import type { ReconcilerDeps } from '../deps.js';
import type { StandingAcl } from './acl-cache.js';
import { isAclActive } from './acl-state.js';
import { cachedPeople, plannedPeople, providersOfPeople } from './people-objects.js';
import { losesByInference, planClientAcl } from './plan-client-acl.js';

const SLICE = 100;

type Known = Pick<ReconcilerDeps, 'world' | 'acl'>;
type Counting = Pick<ReconcilerDeps, 'world' | 'acl' | 'window'>;

/**
 * What the mass guard counts of ACL objects, beside the edges of the fleet: each client is one, and each membership of
 * a person.
 */
export interface AclBudget {
  readonly owned: number;
  /** Clients and memberships that would lose something by inference now. */
  readonly wanted: number;
}

/** From what was last read: a read that lost many clients is seen whole, whichever of their jobs comes first. */
export function aclBudget(deps: Counting, now: number): AclBudget {
  if (!isAclActive(deps)) return { owned: 0, wanted: 0 };
  let { owned, wanted } = peopleBudget(deps, now);
  for (const [name, standing] of deps.acl.cache.standing) {
    const id = clientOf(standing, deps.world.mapping.owner);
    if (id === undefined) continue;
    owned++;
    wanted += deps.window.rejections.countOf(inferredOf(id, name, standing, deps, now), now);
  }
  return { owned, wanted };
}

/**
 * Counts ahead, with other work between: after a read that renewed everything, the first count of thousands would hold
 * up a revocation for as long as it takes.
 */
export async function countAhead(deps: Known, now: number): Promise<void> {
  if (!isAclActive(deps)) return;
  let at = 0;
  for (const [name, standing] of deps.acl.cache.standing) {
    if (++at % SLICE === 0) await setImmediate();
    const id = clientOf(standing, deps.world.mapping.owner);
    if (id !== undefined) inferredOf(id, name, standing, deps, now);
  }
}

/** The client's one subject where it would lose something by inference; planned anew only if what that follows from has changed. */
function inferredOf(
  id: ClientId,
  name: string,
  standing: StandingAcl,
  deps: Known,
  now: number,
): readonly string[] {
  const { world, acl } = deps;
  const lastWritten = world.lastWritten(formatKey(clientKey(id.provider, id.clientId)));
  const claims = acl.standingsOf(id, world.standings(now));
  const follows = [
    standing,
    world.mapping,
    world.hasDirectory(id.provider),
    world.isUnreadable(id),
    world.client(id),
    world.closure(id),
    lastWritten,
    claims.length,
    ...claims,
  ];
  return world.inferredCounts.of(`acl ${name}`, follows, () => {
    const facts = { lastWritten, evidence: [], grantReason: 'ScopeGranted', mode: 'enforce' } as const;
    const actual = acl.cache.snapshot([name], []);
    const plan = planClientAcl(id, { ...facts, actual }, deps, now);
    return losesByInference(plan.changes) ? [plan.subject] : [];
  });
}

function peopleBudget(deps: Counting, now: number): AclBudget {
  const { world, acl } = deps;
  let owned = 0;
  let wanted = 0;
  for (const provider of providersOfPeople(deps)) {
    const { roles } = cachedPeople(provider, deps);
    const lastWritten = world.lastWritten(formatKey(providerKey(provider)));
    const follows = [world.mapping, acl.members.get(provider), lastWritten, roles.length, ...roles];
    owned += roles.length;
    const inferred = world.inferredCounts.of(`people ${provider}`, follows, () =>
      [...plannedPeople(provider, deps).inferred.keys()].map((name) => aclSubject('acl-role', name)),
    );
    wanted += deps.window.rejections.countOf(inferred, now);
  }
  return { owned, wanted };
}

/** The client whose objects stand under a name, as their Descriptions say; checked, for anybody can edit those. */
export function clientOf(standing: StandingAcl, owner: string): ClientId | undefined {
  const { role, authMethod, bindingRules } = standing;
  for (const { object } of [role, authMethod, ...bindingRules].filter((each) => each !== undefined)) {
    const name = 'authMethod' in object ? object.authMethod : object.name;
    const id = isOwnedDescription(owner, object.description)
      ? clientOfDescription(object.description)
      : undefined;
    if (id !== undefined && clientName(owner, id).toLowerCase() === name.toLowerCase()) return id;
  }
  return undefined;
}

/** Sorted, each once. */
export function uniqueClients(ids: Iterable<ClientId>): readonly ClientId[] {
  const found = new Map([...ids].map((id) => [clientText(id), id] as const));
  return [...found].toSorted(([a], [b]) => compareText(a, b)).map(([, id]) => id);
}
