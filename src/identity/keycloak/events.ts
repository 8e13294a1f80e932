import { clientKey, type Key, providerKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Cause, Evidence, Trigger } from '../../model/trigger.js';
import type { IdentityEvent } from '../source.js';
import { instantOf, type KeycloakEvent } from './admin-event.js';
import { secondsOf } from './client.js';
import { isInternalId, textAt } from './json.js';
import { lostRoles, toRoleEvidence } from './lost-roles.js';
import { namedGroups } from './named-groups.js';
import type { KeycloakNames } from './names.js';
import { SERVICE_ACCOUNT } from './service-accounts.js';

export interface EventContext {
  readonly provider: string;
  readonly kind: 'webhook' | 'poll';
  /** ISO 8601. */
  readonly receivedAt: string;
  /** Without it the roles of service accounts are no scopes, and count where a client scope takes one of them. */
  readonly serviceAccountRoles: boolean;
  /** Client ids of the clients whose roles count; absent, those of all. */
  readonly apis?: readonly string[];
  readonly names: KeycloakNames;
}

type Admin = NonNullable<KeycloakEvent['admin']>;
type Effect = Pick<IdentityEvent, 'triggers' | 'orders'>;

const NOTHING: Effect = { triggers: [], orders: [] };

/**
 * What an event may have changed. Everything is told by the path and the operation, since the resource type is
 * not dependable (a partial import of a client has the type REALM) and the representation is only what the
 * administrator sent. Everything but a creation is urgent, because it may take something away.
 *
 *   clients/ID                       the client; deleted, disabled: an order too; all clients if its roles go with it
 *   clients/ID/...                   the client: its scopes, secret, scope mappings, roles
 *   client-scopes/ID                 all clients: a rename or deletion touches every holder
 *   client-scopes/ID/scope-mappings  all clients: the scope takes other roles
 *   users/ID/role-mappings, groups   the client whose service account it is, or the members of the mapped groups
 *   organizations/ID                 the members of the mapped groups, its own
 *   users/ID                         the same as of its roles
 *   users/ID/logout                  an order: the person's sessions ended
 *   logout-all, push-revocation      an order: everybody's sessions ended
 *   sessions/ID                      one session, of nobody knows whom: see `endsUnknownSession`
 *   roles, groups                    all clients, and the members of the mapped groups
 *   the realm                        all clients; with a time not before which tokens count, an order for everybody
 */
export function toIdentityEvent(event: KeycloakEvent, context: EventContext): IdentityEvent {
  const cause: Cause = {
    kind: context.kind,
    eventId: event.id,
    receivedAt: context.receivedAt,
    ...(event.principal === undefined ? {} : { principal: event.principal }),
  };
  const at = { id: event.id, occurredAt: event.occurredAt };
  if (event.admin !== undefined && !event.admin.failed) {
    return { ...at, ...effectOf(event.admin, event.occurredAt, cause, context) };
  }
  // A client that registers or changes itself by dynamic registration does so without an administrator.
  if (event.access?.clientId !== undefined && /^CLIENT_(REGISTER|UPDATE|DELETE)$/.test(event.access.type)) {
    const key = clientKey(context.provider, event.access.clientId);
    const urgent = event.access.type !== 'CLIENT_REGISTER';
    return { ...at, triggers: [{ key, cause, urgent }], orders: [] };
  }
  return { ...at, ...NOTHING };
}

function effectOf(admin: Admin, at: string, cause: Cause, context: EventContext): Effect {
  const [kind, id, part] = admin.path;
  const urgent = admin.operation !== 'CREATE';
  const everything = (evidence: readonly Evidence[] = []): Effect => {
    const trigger: Trigger = { key: providerKey(context.provider), cause, fullRead: true, urgent };
    return { triggers: [evidence.length === 0 ? trigger : { ...trigger, evidence }], orders: [] };
  };
  const { names } = context;
  const withRoles = context.serviceAccountRoles || names.mayRestrict;
  const lost = context.serviceAccountRoles ? toRoleEvidence(context.provider, lostRoles(admin, names)) : [];
  switch (kind) {
    case undefined:
      if (admin.resourceType !== 'REALM' || admin.operation === 'CREATE') return NOTHING;
      return both(everything(), ofNotBefore(admin, cause, context));
    case 'logout-all':
    case 'push-revocation':
      return ofEverybody(at, cause, context);
    case 'clients':
      if (id === undefined) return NOTHING;
      if (!isInternalId(id)) return everything();
      if (part === undefined) {
        // Before the client is learned anew.
        const roles = ofClientRoles(admin, id, cause, context, everything(lost));
        return both(roles, ofClient(admin, id, at, cause, context));
      }
      if (part === 'roles' && (urgent || admin.path[4] === 'composites'))
        return both(
          mayBeApi(names.clientId(id), context) ? everything(lost) : NOTHING,
          ofMembers(admin, cause, context),
        );
      return ofClientPart(admin, id, cause, context);
    case 'client-scopes':
      return ofClientScope(admin, cause, everything, context);
    case 'users':
      if (id === undefined) return NOTHING;
      if (part === 'logout') return ofLogout(id, at, cause, context);
      if (part === undefined)
        return both(ofAccount(admin, id, cause, context, everything), ofMembers(admin, cause, context));
      if (part !== 'role-mappings' && part !== 'groups') return NOTHING;
      return both(
        withRoles ? ofServiceAccount(admin, id, cause, context) : NOTHING,
        ofMembers(admin, cause, context),
      );
    case 'groups':
      // A new group has no members yet; its role mappings are paths of their own.
      if (!urgent && part !== 'role-mappings') return NOTHING;
      return both(withRoles ? everything(lost) : NOTHING, ofMembers(admin, cause, context));
    case 'roles':
    case 'roles-by-id':
      if (!urgent && part !== 'composites') return NOTHING;
      return both(withRoles ? everything(lost) : NOTHING, ofMembers(admin, cause, context));
    case 'organizations':
      return urgent || part === 'members' ? ofMembers(admin, cause, context) : NOTHING;
    case 'events':
      // The log was off, or is now: what happened meanwhile has left no event.
      return id === 'config' ? everything() : NOTHING;
    default:
      return NOTHING;
  }
}

function ofClient(admin: Admin, id: string, at: string, cause: Cause, context: EventContext): Effect {
  const { provider, names } = context;
  const named = admin.representation === undefined ? undefined : textAt(admin.representation, 'clientId');
  const known = names.clientId(id);
  switch (admin.operation) {
    case 'CREATE': {
      if (named !== undefined) names.learnClient(id, named);
      const trigger = { key: named === undefined ? byId(provider, id) : clientKey(provider, named), cause };
      return { triggers: [trigger], orders: [] };
    }
    case 'DELETE': {
      // The id leads nowhere any more. Without a client id only the comparison of everything finds the rest.
      const clientId = named ?? known;
      const key = clientId === undefined ? providerKey(provider) : clientKey(provider, clientId);
      const trigger = touched(key, id, clientId, cause, provider);
      return {
        triggers: [clientId === undefined ? { ...trigger, fullRead: true } : trigger],
        orders: [orderOf('client-deleted', provider, id, clientId, at, cause)],
      };
    }
    default: {
      const disabled = admin.operation === 'UPDATE' && admin.representation?.enabled === false;
      const clientId = known ?? named;
      const triggers = [touched(byId(provider, id), id, clientId, cause, provider)];
      // Renamed: what the old client id holds in the mesh belongs to no client now.
      if (known !== undefined && named !== undefined && known !== named) {
        triggers.push(touched(clientKey(provider, known), id, known, cause, provider));
      }
      if (named !== undefined) names.learnClient(id, named);
      const order = orderOf('client-disabled', provider, id, clientId, at, cause);
      return { triggers, orders: disabled ? [order] : [] };
    }
  }
}

/**
 * A part of a client names it by id alone. The client id that a read taught saves the way over the id; if the client
 * was renamed since, the job finds it gone under that name and asks for its id.
 */
function ofClientPart(admin: Admin, id: string, cause: Cause, context: EventContext): Effect {
  const { provider, names } = context;
  const known = names.clientId(id);
  const key = known === undefined ? byId(provider, id) : clientKey(provider, known);
  if (admin.operation === 'CREATE') return { triggers: [{ key, cause }], orders: [] };
  return { triggers: [touched(key, id, known, cause, provider)], orders: [] };
}

function ofClientScope(
  admin: Admin,
  cause: Cause,
  everything: (evidence?: readonly Evidence[]) => Effect,
  context: EventContext,
): Effect {
  const [, id, part] = admin.path;
  const { provider, names } = context;
  if (id === undefined || (part !== undefined && part !== 'scope-mappings')) return NOTHING;
  if (part === 'scope-mappings') {
    // A role that is added takes the scope from whoever lacks it, as one that is taken away may.
    const name = names.scopeName(id);
    const evidence = name === undefined ? {} : { evidence: [{ provider, scopes: [name] }] };
    const key = providerKey(provider);
    return { triggers: [{ key, cause, fullRead: true, urgent: true, ...evidence }], orders: [] };
  }
  const named = admin.representation === undefined ? undefined : textAt(admin.representation, 'name');
  const known = names.scopeName(id);
  if (named !== undefined && isInternalId(id)) names.learnScope(id, named);
  if (admin.operation === 'CREATE') return NOTHING; // Nobody holds it yet.
  const lost = admin.operation === 'DELETE' ? (known ?? named) : known === named ? undefined : known;
  return everything(lost === undefined ? [] : [{ provider, scopes: [lost] }]);
}

function both(one: Effect, other: Effect): Effect {
  return { triggers: [...one.triggers, ...other.triggers], orders: [...one.orders, ...other.orders] };
}

/** Who belongs to the mapped groups may have changed, and for whom or in which group, as far as the path tells. */
function ofMembers(admin: Admin, cause: Cause, context: EventContext): Effect {
  const { provider, names } = context;
  const [kind, id = '', part, member] = admin.path;
  if (kind === 'users' && names.serviceAccountClient(id) !== undefined) return NOTHING;
  const person = kind === 'users' ? id : kind === 'organizations' && part === 'members' ? member : undefined;
  const evidence: Evidence =
    person === undefined ? { provider, groups: namedGroups(admin, names) } : { provider, people: [person] };
  const urgent = admin.operation !== 'CREATE';
  return {
    triggers: [{ key: providerKey(provider), cause, members: true, urgent, evidence: [evidence] }],
    orders: [],
  };
}

/** An administrator ended all sessions of a person: what was issued before is void. */
function ofLogout(userId: string, at: string, cause: Cause, { provider }: EventContext): Effect {
  return { triggers: [], orders: [{ kind: 'session-revoked', provider, subject: userId, at, cause }] };
}

/**
 * All sessions of the realm ended. A push of its revocation does not say from when; whoever is caught without need logs in
 * again.
 */
function ofEverybody(at: string, cause: Cause, { provider }: EventContext): Effect {
  return { triggers: [], orders: [{ kind: 'session-revoked', provider, at, cause }] };
}

/** The realm's tokens are void if issued before a time; each later change of the realm says it again, and does nothing more. */
function ofNotBefore({ representation }: Admin, cause: Cause, context: EventContext): Effect {
  const seconds = secondsOf(representation?.notBefore);
  const at = seconds === undefined ? undefined : instantOf(seconds * 1000);
  return at === undefined ? NOTHING : ofEverybody(at, cause, context);
}

/** Whether an administrator ended a single session: the event has its id, and no token of Consul's tells of sessions. */
export function endsUnknownSession({ admin }: KeycloakEvent): boolean {
  return admin?.path[0] === 'sessions' && admin.operation === 'DELETE' && !admin.failed;
}

function ofServiceAccount(admin: Admin, userId: string, cause: Cause, context: EventContext): Effect {
  const { provider, names } = context;
  if (!isInternalId(userId)) {
    const key = providerKey(provider);
    return { triggers: [{ key, cause, fullRead: true, urgent: admin.operation !== 'CREATE' }], orders: [] };
  }
  const key: Key = { kind: 'client', provider, by: 'serviceAccount', value: userId };
  if (admin.operation === 'CREATE') return { triggers: [{ key, cause }], orders: [] };
  const id = names.serviceAccountClient(userId);
  if (id === undefined) return { triggers: [{ key, cause, urgent: true }], orders: [] };
  return { triggers: [touched(key, id, names.clientId(id), cause, provider)], orders: [] };
}

/**
 * A service account that is disabled or deleted takes its client's own login away. Its id leads nowhere once it is deleted,
 * so where nobody knows whose it was everything is read; a user who is known for a person concerns no client.
 */
function ofAccount(
  admin: Admin,
  userId: string,
  cause: Cause,
  context: EventContext,
  everything: () => Effect,
): Effect {
  const { names } = context;
  if (admin.operation === 'CREATE') return NOTHING;
  const client = names.serviceAccountClient(userId);
  if (client !== undefined) return ofClientPart(admin, client, cause, context);
  const named = admin.representation === undefined ? undefined : textAt(admin.representation, 'username');
  const isPerson =
    named === undefined ? names.knowsServiceAccounts : !named.toLowerCase().startsWith(SERVICE_ACCOUNT);
  if (isPerson) return NOTHING;
  return admin.operation === 'DELETE' ? everything() : ofServiceAccount(admin, userId, cause, context);
}

/**
 * With a client its roles go, and with its client id the API that they belong to. Where nothing tells its client id, a
 * deletion has everything read in any case.
 */
function ofClientRoles(
  admin: Admin,
  id: string,
  cause: Cause,
  context: EventContext,
  everything: Effect,
): Effect {
  const { operation, representation } = admin;
  const known = context.names.clientId(id);
  const named = representation === undefined ? undefined : textAt(representation, 'clientId');
  const ids = [known, named].filter((each) => each !== undefined);
  const isRenamed = operation === 'UPDATE' && ids.length === 2 && known !== named;
  if (!(operation === 'DELETE' || isRenamed)) return NOTHING;
  const isApi = ids.some((each) => mayBeApi(each, context));
  return both(isApi ? everything : NOTHING, ofMembers(admin, cause, context));
}

/** Whether roles of this client may open something. */
function mayBeApi(clientId: string | undefined, { serviceAccountRoles, apis, names }: EventContext): boolean {
  const isListed = clientId === undefined || apis === undefined || apis.includes(clientId);
  return names.mayRestrict || (serviceAccountRoles && isListed);
}

function byId(provider: string, value: string): Key {
  return { kind: 'client', provider, by: 'internalId', value };
}

/**
 * An administrator changed this one client, so whatever the re-read finds missing from it was taken away on
 * purpose: that is evidence, for an update too.
 */
function touched(
  key: Key,
  internalId: string,
  clientId: string | undefined,
  cause: Cause,
  provider: string,
): Trigger {
  const named = clientId === undefined ? {} : { clients: [clientId] };
  return { key, cause, urgent: true, evidence: [{ provider, internalIds: [internalId], ...named }] };
}

function orderOf(
  kind: RevocationOrder['kind'],
  provider: string,
  internalId: string,
  clientId: string | undefined,
  at: string,
  cause: Cause,
): RevocationOrder {
  return { kind, provider, internalId, ...(clientId === undefined ? {} : { clientId }), at, cause };
}
