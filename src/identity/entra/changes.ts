import { createHash } from 'node:crypto';
import { clientKey, type Key, providerKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Cause, Evidence, Trigger } from '../../model/trigger.js';
import type { IdentityEvent } from '../source.js';
import type { Change, Collection } from './delta.js';
import type { EntraNames } from './names.js';
import type { EntraResource } from './resources.js';

export interface ChangeContext {
  readonly provider: string;
  readonly names: EntraNames;
  /** The APIs that count, as they were before the change. */
  readonly resources: readonly EntraResource[];
  /** As configured: one that did not exist may be the one that now does. */
  readonly apis: readonly string[];
  /** Of the round that told it: the same round read again gives the same event ids. */
  readonly link: string;
  /** ISO 8601; Graph does not say when something changed. */
  readonly receivedAt: string;
}

type Effect = Pick<IdentityEvent, 'triggers' | 'orders'>;
const NOTHING: Effect = { triggers: [], orders: [] };

/** What Graph itself said of one object: an authenticated read, so that it is evidence and may be an order. */
export function toIdentityEvent(
  collection: Collection,
  change: Change,
  context: ChangeContext,
): IdentityEvent {
  const digest = createHash('sha256')
    .update(JSON.stringify([context.link, change]))
    .digest('base64url');
  const id = `delta/${collection}/${digest}`;
  const cause: Cause = { kind: 'poll', eventId: id, receivedAt: context.receivedAt };
  switch (collection) {
    case 'applications':
      return { id, ...ofApplication(change, cause, context) };
    case 'servicePrincipals':
      return { id, ...ofPrincipal(change, cause, context) };
    case 'oauth2PermissionGrants':
      return { id, ...ofGrant(change, cause, context) };
  }
}

/** Above this many, one complete comparison costs less than a read of each. */
const MOST_EVENTS = 200;
/** So that no trigger grows without end; those of one key are worked off together. */
const MOST_NAMED = 2000;

/** Very many changes as a few events that ask for the complete comparison, with all that Graph said as their evidence. */
export function mergeMany(
  events: readonly IdentityEvent[],
  provider: string,
  receivedAt: string,
): readonly IdentityEvent[] {
  if (events.length <= MOST_EVENTS) return events;
  const merged: IdentityEvent[] = [];
  for (let at = 0; at < events.length; at += MOST_NAMED) {
    const some = events.slice(at, at + MOST_NAMED);
    const digest = createHash('sha256')
      .update(JSON.stringify(some.map(({ id }) => id)))
      .digest('base64url');
    const id = `delta/many/${digest}`;
    const told = some.flatMap(({ triggers }) => triggers.flatMap(({ evidence = [] }) => evidence));
    const clients = [...new Set(told.flatMap((each) => each.clients ?? []))];
    const internalIds = [...new Set(told.flatMap((each) => each.internalIds ?? []))];
    const evidence = [
      { provider, clients, internalIds },
      ...told.filter(({ scopes }) => scopes !== undefined),
    ];
    const cause = { kind: 'poll', eventId: id, receivedAt } as const;
    const trigger = { key: providerKey(provider), cause, fullRead: true, urgent: true, evidence };
    merged.push({ id, triggers: [trigger], orders: some.flatMap(({ orders }) => orders) });
  }
  return merged;
}

function ofApplication(change: Change, cause: Cause, context: ChangeContext): Effect {
  const { names, provider } = context;
  const clientId = change.appId ?? names.clientIdOfApplication(change.id);
  if (clientId === undefined) return ofStranger(change, cause, context);
  names.learnApplication(change.id, clientId);
  const trigger = touched(clientKey(provider, clientId), { clients: [clientId] }, cause, provider);
  // Without its registration no token is issued to the client any more, nor while that is deactivated.
  const kind = endOf(change);
  return {
    triggers: [trigger, ...ofAgents(clientId, change, cause, context)],
    orders: kind === undefined ? [] : [orderOf(kind, { clientId }, cause, provider)],
  };
}

function ofPrincipal(change: Change, cause: Cause, context: ChangeContext): Effect {
  const { names, provider, resources, apis } = context;
  const resource = resources.find(({ principalId }) => principalId === change.id);
  // An agent identity may have no appId: its object id is its client id.
  const own = change.servicePrincipalType === 'ServiceIdentity' ? change.id : undefined;
  const clientId = change.appId ?? names.clientIdOfPrincipal(change.id) ?? own;
  if (clientId !== undefined) names.learnPrincipal(change.id, clientId);
  if (change.agentIdentityBlueprintId != null)
    names.learnAgent(change.id, change.agentIdentityBlueprintId.toLowerCase());
  const ofApi =
    resource !== undefined
      ? [everything(cause, provider, { api: resource.api, scopes: lostScopes(resource, change) })]
      : apis.some((api) => api.toLowerCase() === change.appId)
        ? [everything(cause, provider)]
        : [];
  if (clientId === undefined) {
    const stranger = ofStranger(change, cause, context);
    return { ...stranger, triggers: [...ofApi, ...stranger.triggers] };
  }
  const id = { clientId, internalId: change.id };
  const evidence = { clients: [clientId], internalIds: [change.id] };
  const trigger = touched(clientKey(provider, clientId), evidence, cause, provider);
  const kind = endOf(change);
  const orders = kind === undefined ? [] : [orderOf(kind, id, cause, provider)];
  return { triggers: [...ofApi, trigger, ...ofAgents(clientId, change, cause, context)], orders };
}

/** https://learn.microsoft.com/graph/api/resources/agentidentityblueprint, and …/agentidentityblueprintprincipal */
const BLUEPRINTS = [
  '#microsoft.graph.agentIdentityBlueprint',
  '#microsoft.graph.agentIdentityBlueprintPrincipal',
];

/** A blueprint that is disabled takes its agent identities with it, and they come back with it. */
function ofAgents(
  clientId: string,
  change: Change,
  cause: Cause,
  { names, provider }: ChangeContext,
): readonly Trigger[] {
  const agents = names.agentsOf(clientId);
  if (agents.length === 0) {
    // Before everything was read nobody knows which they are.
    const hasUnknown = !names.isComplete && BLUEPRINTS.includes(change['@odata.type'] ?? '');
    return hasUnknown ? [everything(cause, provider)] : [];
  }
  // Without the blueprint itself nothing is known of them.
  if (endOf(change) !== 'client-disabled') return [everything(cause, provider)];
  const triggers: Trigger[] = [];
  for (let at = 0; at < agents.length; at += MOST_NAMED) {
    const internalIds = agents.slice(at, at + MOST_NAMED);
    const clients = internalIds.map((id) => names.clientIdOfPrincipal(id) ?? id);
    triggers.push({ ...everything(cause, provider), evidence: [{ provider, clients, internalIds }] });
  }
  return triggers;
}

function ofGrant(change: Change, cause: Cause, context: ChangeContext): Effect {
  const { names, provider, resources } = context;
  const known = names.principalOfGrant(change.id);
  const principalId = change.clientId ?? known;
  if (principalId === undefined) return ofStranger(change, cause, context);
  const isOurs = resources.some((resource) => resource.principalId === change.resourceId);
  const isElsewhere = change.resourceId != null && !isOurs;
  // What one person consents to never counts.
  if (known === undefined && (isElsewhere || change.consentType === 'Principal')) return NOTHING;
  names.learnGrant(change.id, principalId);
  const clientId = names.clientIdOfPrincipal(principalId);
  const key: Key =
    clientId === undefined
      ? { kind: 'client', provider, by: 'internalId', value: principalId }
      : clientKey(provider, clientId);
  const named = clientId === undefined ? {} : { clients: [clientId] };
  return { triggers: [touched(key, { internalIds: [principalId], ...named }, cause, provider)], orders: [] };
}

/** An object that nothing told the owner of: once everything was read, it is one that never counted. */
function ofStranger(change: Change, cause: Cause, context: ChangeContext): Effect {
  if (isRemoved(change) && context.names.isComplete) return NOTHING;
  return { triggers: [everything(cause, context.provider)], orders: [] };
}

/** What an API no longer offers to anybody, by name; where a delta leaves a list out, that did not change. */
function lostScopes(resource: EntraResource, change: Change): readonly string[] {
  const gone = (known: Iterable<string>, offered: Change['appRoles']) => {
    // No token is issued for an API that is disabled.
    if (isRemoved(change) || change.accountEnabled === false) return [...known];
    if (offered == null) return [];
    const still = new Set(offered.filter(({ isEnabled }) => isEnabled !== false).map(({ value }) => value));
    return [...known].filter((name) => !still.has(name));
  };
  return [
    ...gone(resource.roles.values(), change.appRoles),
    ...gone(resource.scopes, change.oauth2PermissionScopes),
  ];
}

/** What Graph says has happened to what a client needs for its tokens, if it is no longer there or switched off. */
function endOf(change: Change): 'client-deleted' | 'client-disabled' | undefined {
  if (isRemoved(change)) return 'client-deleted';
  return change.accountEnabled === false || change.isDisabled === true ? 'client-disabled' : undefined;
}

function isRemoved(change: Change): boolean {
  return change['@removed'] !== undefined;
}

function everything(
  cause: Cause,
  provider: string,
  lost?: { readonly api: string; readonly scopes: readonly string[] },
): Trigger {
  const trigger: Trigger = { key: providerKey(provider), cause, fullRead: true, urgent: true };
  if (lost === undefined || lost.scopes.length === 0) return trigger;
  return { ...trigger, evidence: [{ provider, ...lost }] };
}

/** Somebody changed this one client, so whatever the re-read finds missing from it was taken away on purpose. */
function touched(key: Key, named: Omit<Evidence, 'provider'>, cause: Cause, provider: string): Trigger {
  return { key, cause, urgent: true, evidence: [{ provider, ...named }] };
}

function orderOf(
  kind: RevocationOrder['kind'],
  id: Pick<RevocationOrder, 'clientId' | 'internalId'>,
  cause: Cause,
  provider: string,
): RevocationOrder {
  return { kind, provider, ...id, at: cause.receivedAt, cause };
}
