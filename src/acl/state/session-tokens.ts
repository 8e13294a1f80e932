import type { DecidedPerson, Resource } from '../../model/decision.js';
import type { RevocationOrder } from '../../model/order.js';
import { classify, needsHuman } from '../../plan/actor.js';
import { clientName, peopleName, personName } from '../../plan/object-names.js';
import type { PlannedClient } from '../../plan/plan.js';
import type { WorldState } from '../../state/world-state.js';
import { aclSubject } from '../plan/acl-change.js';
import { personOfRole } from '../plan/person.js';
import { groupsOf } from '../plan/plan-people.js';
import type { AclCache } from './acl-cache.js';
import { clientsWithAcl } from './acl-owners.js';

interface Known {
  readonly world: WorldState;
  readonly acl: { readonly cache: AclCache };
}

/**
 * The roles of the person, for every mapped group and every existing role, and the client's auth method. For an order
 * without a subject and a client: every auth method with which people may have logged in.
 */
export function tokensOfSession(
  order: RevocationOrder,
  { world, acl }: Known,
): readonly ({ readonly role: string } | { readonly authMethod: string })[] {
  const { provider, subject } = order;
  const { mapping } = world;
  const { owner } = mapping;
  const roles = new Set<string>();
  if (subject !== undefined) {
    for (const group of groupsOf(mapping, provider))
      roles.add(personName(owner, provider, subject, group).toLowerCase());
    for (const [name, { role }] of acl.cache.owned)
      if (role !== undefined && personOfRole(owner, provider, role.object)?.subject === subject)
        roles.add(name);
  }
  const clientId = clientIdOf(order, world);
  const methods =
    clientId !== undefined && (subject === undefined || isPeoples(provider, clientId, { world }))
      ? [clientName(owner, { provider, clientId })]
      : isEverybodys(order)
        ? methodsOfPeople(provider, { world, acl })
        : [];
  return [...[...roles].map((role) => ({ role })), ...methods.map((authMethod) => ({ authMethod }))];
}

function isEverybodys({ subject, clientId, internalId }: RevocationOrder): boolean {
  return subject === undefined && clientId === undefined && internalId === undefined;
}

function methodsOfPeople(provider: string, deps: Known): readonly string[] {
  const { owner } = deps.world.mapping;
  const clients = clientsWithAcl(deps, provider).filter(({ clientId }) =>
    isPeoples(provider, clientId, deps),
  );
  return [peopleName(owner, provider), ...clients.map((client) => clientName(owner, client))];
}

/** Whether a client's Consul tokens may belong to a person; true for an unknown client. */
function isPeoples(provider: string, clientId: string, { world }: Pick<Known, 'world'>): boolean {
  const client = world.client({ provider, clientId });
  if (client === undefined) return true;
  const kind = classify(client, world.mapping);
  return kind === 'human' || needsHuman(kind, world.mapping);
}

function clientIdOf(order: RevocationOrder, world: WorldState): string | undefined {
  const { provider, clientId, internalId } = order;
  return (
    clientId ?? (internalId === undefined ? undefined : world.directories.clientIdOf(provider, internalId))
  );
}

/** The client and the person that an order names. */
export function namedBy(
  order: RevocationOrder,
  { world }: Pick<Known, 'world'>,
): { readonly client?: PlannedClient; readonly person?: DecidedPerson } {
  const { provider, subject } = order;
  const clientId = clientIdOf(order, world);
  const client = clientId === undefined ? undefined : world.client({ provider, clientId });
  const actorKind = client === undefined ? 'unknown' : classify(client, world.mapping);
  return {
    ...(clientId === undefined ? {} : { client: { provider, clientId, actorKind } }),
    ...(subject === undefined ? {} : { person: { provider, subject, actorKind: 'human' } }),
  };
}

export function sessionSubject(order: RevocationOrder, deps: Pick<Known, 'world'>): string {
  return aclSubject('acl-token', methodOf(order, deps), 'session', order.subject ?? '');
}

export function sessionResource(order: RevocationOrder, deps: Pick<Known, 'world'>): Resource {
  return { kind: 'acl-token', name: methodOf(order, deps) };
}

/** The auth method of the tokens: that of the provider's people, or of the named client. */
function methodOf({ provider, clientId }: RevocationOrder, { world }: Pick<Known, 'world'>): string {
  const { owner } = world.mapping;
  return clientId === undefined ? peopleName(owner, provider) : clientName(owner, { provider, clientId });
}
