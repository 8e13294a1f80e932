import type { Cause } from '../../model/cause.js';
import { clientKey } from '../../model/key.js';
import type { Trigger } from '../../model/trigger.js';
import { digestOf } from '../digest.js';
import {
  clientChanged,
  clientOrder,
  type Effect,
  fullRead,
  keyOfClient,
  type NamedClient,
  NO_EFFECT,
  onlyTriggers,
} from '../effects.js';
import type { IdentityEvent } from '../source.js';
import type { Collection, DeltaChange } from './delta.js';
import type { EntraNames } from './names.js';
import type { EntraResource } from './resources.js';

interface ChangeContext {
  readonly provider: string;
  readonly names: EntraNames;
  /** The APIs that count, as they were before the change. */
  readonly resources: readonly EntraResource[];
  /** The configured names: an API that did not exist may exist now. */
  readonly apis: readonly string[];
  /** The link of the round: if the same round is read again, it gives the same event IDs. */
  readonly link: string;
  /** ISO 8601. Graph does not state when something changed. */
  readonly receivedAt: string;
}

/** Graph itself states the change in an authenticated read, so the event carries evidence and may carry an order. */
export function toIdentityEvent(
  collection: Collection,
  change: DeltaChange,
  context: ChangeContext,
): IdentityEvent {
  const id = `delta/${collection}/${digestOf([context.link, change])}`;
  const cause: Cause = { kind: 'poll', eventId: id, receivedAt: context.receivedAt };
  switch (collection) {
    case 'applications':
      return { id, ...applicationEffect(change, cause, context) };
    case 'servicePrincipals':
      return { id, ...principalEffect(change, cause, context) };
    case 'oauth2PermissionGrants':
      return { id, ...grantEffect(change, cause, context) };
  }
}

/** With more changes, one complete comparison costs less than a read of each. */
const MAX_EVENTS = 200;
/** Clients that one trigger names. Triggers of one key are processed together. */
const MAX_NAMED = 2000;

/** Replaces very many events by a few that ask for the complete comparison, with all evidence. */
export function mergeMany(
  events: readonly IdentityEvent[],
  provider: string,
  receivedAt: string,
): readonly IdentityEvent[] {
  if (events.length <= MAX_EVENTS) return events;
  return chunks(events, MAX_NAMED).map((some) => {
    const id = `delta/many/${digestOf(some.map((event) => event.id))}`;
    const all = some.flatMap(({ triggers }) => triggers.flatMap(({ evidence = [] }) => evidence));
    const clients = [...new Set(all.flatMap((each) => each.clients ?? []))];
    const internalIds = [...new Set(all.flatMap((each) => each.internalIds ?? []))];
    const evidence = [
      { provider, clients, internalIds },
      ...all.filter(({ scopes }) => scopes !== undefined),
    ];
    const cause = { kind: 'poll', eventId: id, receivedAt } as const;
    const trigger = fullRead(provider, cause, { evidence });
    return { id, triggers: [trigger], orders: some.flatMap(({ orders }) => orders) };
  });
}

export function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  );
}

function applicationEffect(change: DeltaChange, cause: Cause, context: ChangeContext): Effect {
  const { names } = context;
  const clientId = change.appId ?? names.applications.get(change.id);
  if (clientId === undefined) return unknownObjectEffect(change, cause, context);
  names.applications.set(change.id, clientId);
  // Without its registration a client gets no tokens, nor while the registration is deactivated.
  return namedClientEffect({ clientId }, change, cause, context);
}

function principalEffect(change: DeltaChange, cause: Cause, context: ChangeContext): Effect {
  const { names, provider, resources, apis } = context;
  const resource = resources.find(({ principalId }) => principalId === change.id);
  // An agent identity may have no appId. Then its object ID is its client ID.
  const own = change.servicePrincipalType === 'ServiceIdentity' ? change.id : undefined;
  const clientId = change.appId ?? names.principals.get(change.id) ?? own;
  if (clientId !== undefined) names.principals.set(change.id, clientId);
  if (change.agentIdentityBlueprintId != null)
    names.agents.set(change.id, { blueprint: change.agentIdentityBlueprintId.toLowerCase() });
  const apiTriggers: readonly Trigger[] =
    resource !== undefined
      ? [lostScopesTrigger(resource, change, cause, provider)]
      : apis.some((api) => api.toLowerCase() === change.appId)
        ? [fullRead(provider, cause)]
        : [];
  const effect =
    clientId === undefined
      ? unknownObjectEffect(change, cause, context)
      : namedClientEffect({ clientId, internalId: change.id }, change, cause, context);
  return { ...effect, triggers: [...apiTriggers, ...effect.triggers] };
}

function namedClientEffect(
  client: NamedClient & { readonly clientId: string },
  change: DeltaChange,
  cause: Cause,
  context: ChangeContext,
): Effect {
  const { provider } = context;
  const { clientId } = client;
  const trigger = clientChanged(provider, clientKey(provider, clientId), client, cause);
  const kind = endOf(change);
  return {
    triggers: [trigger, ...agentTriggers(clientId, change, cause, context)],
    orders: kind === undefined ? [] : [clientOrder(kind, provider, client, cause.receivedAt, cause)],
  };
}

/** https://learn.microsoft.com/graph/api/resources/agentidentityblueprint, and …/agentidentityblueprintprincipal */
const BLUEPRINTS = [
  '#microsoft.graph.agentIdentityBlueprint',
  '#microsoft.graph.agentIdentityBlueprintPrincipal',
];

/** A blueprint that is disabled disables its agent identities, and enables them again with itself. */
function agentTriggers(
  clientId: string,
  change: DeltaChange,
  cause: Cause,
  { names, provider }: ChangeContext,
): readonly Trigger[] {
  const agents = names.agentsOf(clientId);
  if (agents.length === 0) {
    // Before everything was read, the agents of a blueprint are unknown.
    const hasUnknown = !names.isComplete && BLUEPRINTS.includes(change['@odata.type'] ?? '');
    return hasUnknown ? [fullRead(provider, cause)] : [];
  }
  // A deleted blueprint says nothing about its agents.
  if (endOf(change) !== 'client-disabled') return [fullRead(provider, cause)];
  return chunks(agents, MAX_NAMED).map((internalIds) => {
    const clients = internalIds.map((id) => names.principals.get(id) ?? id);
    return fullRead(provider, cause, { evidence: [{ provider, clients, internalIds }] });
  });
}

function grantEffect(change: DeltaChange, cause: Cause, context: ChangeContext): Effect {
  const { names, provider, resources } = context;
  const known = names.grants.get(change.id);
  const principalId = change.clientId ?? known;
  if (principalId === undefined) return unknownObjectEffect(change, cause, context);
  const counts = resources.some((resource) => resource.principalId === change.resourceId);
  const isElsewhere = change.resourceId != null && !counts;
  // The consent of one person never counts.
  if (known === undefined && (isElsewhere || change.consentType === 'Principal')) return NO_EFFECT;
  names.grants.set(change.id, principalId);
  const clientId = names.principals.get(principalId);
  const key = keyOfClient(provider, clientId, principalId);
  return onlyTriggers(clientChanged(provider, key, { clientId, internalId: principalId }, cause));
}

/** An object with an unknown owner. Once everything was read, it is one that never counted. */
function unknownObjectEffect(change: DeltaChange, cause: Cause, context: ChangeContext): Effect {
  if (isRemoved(change) && context.names.isComplete) return NO_EFFECT;
  return onlyTriggers(fullRead(context.provider, cause));
}

/** A complete comparison, with the scopes that an API no longer offers as evidence. */
function lostScopesTrigger(
  resource: EntraResource,
  change: DeltaChange,
  cause: Cause,
  provider: string,
): Trigger {
  const lostOf = (known: Iterable<string>, offered: DeltaChange['appRoles']) => {
    // A disabled API issues no tokens.
    if (isRemoved(change) || change.accountEnabled === false) return [...known];
    // If a delta leaves a list out, that list did not change.
    if (offered == null) return [];
    const still = new Set(offered.filter(({ isEnabled }) => isEnabled !== false).map(({ value }) => value));
    return [...known].filter((name) => !still.has(name));
  };
  const scopes = [
    ...lostOf(resource.roles.values(), change.appRoles),
    ...lostOf(resource.scopes, change.oauth2PermissionScopes),
  ];
  const evidence = scopes.length === 0 ? [] : [{ provider, api: resource.api, scopes }];
  return fullRead(provider, cause, { evidence });
}

/** Whether Graph says that something that the client needs for its tokens is deleted or disabled. */
function endOf(change: DeltaChange): 'client-deleted' | 'client-disabled' | undefined {
  if (isRemoved(change)) return 'client-deleted';
  return change.accountEnabled === false || change.isDisabled === true ? 'client-disabled' : undefined;
}

function isRemoved(change: DeltaChange): boolean {
  return change['@removed'] !== undefined;
}
