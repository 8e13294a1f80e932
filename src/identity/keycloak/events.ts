import type { Cause } from '../../model/cause.js';
import { definedFields } from '../../model/defined-fields.js';
import { clientKey, type Key, providerKey } from '../../model/key.js';
import type { Evidence } from '../../model/trigger.js';
import {
  clientChanged,
  clientOrder,
  type Effect,
  fullRead,
  joinEffects,
  keyById,
  keyOfClient,
  membersRead,
  NO_EFFECT,
  onlyOrder,
  onlyTriggers,
  sessionOrder,
} from '../effects.js';
import { textIn } from '../records.js';
import type { EventOrigin, IdentityEvent } from '../source.js';
import { type AdminOperation, instantOf, type KeycloakEvent } from './admin-event.js';
import { secondsOf } from './client.js';
import { isInternalId } from './json.js';
import { lostRoles, toRoleEvidence } from './lost-roles.js';
import { namedGroups } from './member-names.js';
import type { KeycloakNames } from './names.js';
import { SERVICE_ACCOUNT } from './service-accounts.js';

export interface EventContext extends EventOrigin {
  readonly provider: string;
  /** If false, roles of service accounts are no scopes. They still matter to client scopes that require one of them. */
  readonly serviceAccountRoles: boolean;
  /** The client IDs of the clients whose roles count; undefined for all. */
  readonly apis: readonly string[] | undefined;
  readonly names: KeycloakNames;
}

/** An admin event and everything that is needed to interpret it. */
interface Change extends EventContext {
  readonly admin: AdminOperation;
  readonly at: string;
  readonly cause: Cause;
  /** Only a creation cannot take access away. */
  readonly urgent: boolean;
}

/**
 * What an event may have changed. Only the path and the operation decide, because the resource type is not reliable (a
 * partial import of a client has the type REALM), and the representation is only what the administrator sent. Everything
 * except a creation is urgent, because it may take something away.
 *
 *   clients/ID                       the client; deleted, disabled: an order too; all clients if its roles go with it
 *   clients/ID/...                   the client: its scopes, secret, scope mappings, roles
 *   client-scopes/ID                 all clients: a rename or deletion affects every holder
 *   client-scopes/ID/scope-mappings  all clients: the scope requires other roles
 *   users/ID/role-mappings, groups   the client of the service account, or the members of the mapped groups
 *   organizations/ID                 the members of the mapped groups
 *   users/ID                         as for its roles
 *   users/ID/logout                  an order: the person's sessions ended
 *   logout-all, push-revocation      an order: everybody's sessions ended
 *   sessions/ID                      one session of an unknown person: see `endsUnknownSession`
 *   roles, groups                    all clients, and the members of the mapped groups
 *   the realm                        all clients; with a new not-before time, an order for everybody
 */
export function toIdentityEvent(event: KeycloakEvent, context: EventContext): IdentityEvent {
  const { kind, receivedAt, provider } = context;
  const { id, occurredAt, admin, access, principal } = event;
  const cause: Cause = { kind, eventId: id, receivedAt, ...definedFields({ principal }) };
  const envelope = { id, occurredAt };
  if (admin !== undefined && !admin.failed) {
    const urgent = admin.operation !== 'CREATE';
    return { ...envelope, ...effectOf({ ...context, admin, at: occurredAt, cause, urgent }) };
  }
  // Dynamic registration: a client registers or changes itself without an administrator.
  if (access?.clientId !== undefined && /^CLIENT_(REGISTER|UPDATE|DELETE)$/.test(access.type)) {
    const key = clientKey(provider, access.clientId);
    const urgent = access.type !== 'CLIENT_REGISTER';
    return { ...envelope, ...onlyTriggers({ key, cause, urgent }) };
  }
  return { ...envelope, ...NO_EFFECT };
}

/** Whether an administrator ended a single session. The event has only its ID, and Consul tokens name no session. */
export function endsUnknownSession({ admin }: KeycloakEvent): boolean {
  return admin?.path[0] === 'sessions' && admin.operation === 'DELETE' && !admin.failed;
}

function effectOf(change: Change): Effect {
  const { admin, provider, names, cause, at, urgent, serviceAccountRoles } = change;
  const [kind, id, part] = admin.path;
  const withRoles = serviceAccountRoles || names.mayRestrict;
  const lost = serviceAccountRoles ? toRoleEvidence(provider, lostRoles(admin, names)) : [];
  const rolesEffect = () =>
    joinEffects(withRoles ? readEverything(change, lost) : NO_EFFECT, membersEffect(change));
  switch (kind) {
    case undefined:
      if (admin.resourceType !== 'REALM' || !urgent) return NO_EFFECT;
      return joinEffects(readEverything(change), notBeforeEffect(change));
    case 'logout-all':
    case 'push-revocation':
      // A push does not state its time. A session that ends without need costs only a new login.
      return onlyOrder(sessionOrder(provider, undefined, at, cause));
    case 'clients':
      if (id === undefined) return NO_EFFECT;
      if (!isInternalId(id)) return readEverything(change);
      if (part === undefined) {
        // Evaluated first, because the effect on the client itself stores its new client ID.
        const roles = clientRolesEffect(change, id, lost);
        return joinEffects(roles, clientEffect(change, id));
      }
      if (part === 'roles' && (urgent || admin.path[4] === 'composites'))
        return joinEffects(
          mayBeApi(names.clients.get(id), change) ? readEverything(change, lost) : NO_EFFECT,
          membersEffect(change),
        );
      return clientPartEffect(change, id);
    case 'client-scopes':
      return clientScopeEffect(change);
    case 'users':
      if (id === undefined) return NO_EFFECT;
      if (part === 'logout') return onlyOrder(sessionOrder(provider, id, at, cause));
      if (part === undefined) return joinEffects(accountEffect(change, id), membersEffect(change));
      if (part !== 'role-mappings' && part !== 'groups') return NO_EFFECT;
      return joinEffects(withRoles ? serviceAccountEffect(change, id) : NO_EFFECT, membersEffect(change));
    case 'groups':
      // A new group has no members. Its role mappings have paths of their own.
      if (!urgent && part !== 'role-mappings') return NO_EFFECT;
      return rolesEffect();
    case 'roles':
    case 'roles-by-id':
      if (!urgent && part !== 'composites') return NO_EFFECT;
      return rolesEffect();
    case 'organizations':
      return urgent || part === 'members' ? membersEffect(change) : NO_EFFECT;
    case 'events':
      // The log was off, or is off now: changes in that time left no event.
      return id === 'config' ? readEverything(change) : NO_EFFECT;
    default:
      return NO_EFFECT;
  }
}

function readEverything({ provider, cause, urgent }: Change, evidence: readonly Evidence[] = []): Effect {
  return onlyTriggers(fullRead(provider, cause, { urgent, evidence }));
}

function clientEffect({ admin, provider, names, at, cause }: Change, internalId: string): Effect {
  const named = textIn(admin.representation, 'clientId');
  const known = names.clients.get(internalId);
  switch (admin.operation) {
    case 'CREATE':
      if (named !== undefined) names.clients.set(internalId, named);
      return onlyTriggers({ key: keyOfClient(provider, named, internalId), cause });
    case 'DELETE': {
      const clientId = named ?? known;
      const ids = { clientId, internalId };
      const order = clientOrder('client-deleted', provider, ids, at, cause);
      // The internal ID cannot be looked up any more. Without a client ID only a complete comparison finds the client.
      const key = clientId === undefined ? providerKey(provider) : clientKey(provider, clientId);
      const trigger = clientChanged(provider, key, ids, cause);
      return {
        triggers: [clientId === undefined ? { ...trigger, fullRead: true } : trigger],
        orders: [order],
      };
    }
    default: {
      const clientId = known ?? named;
      const ids = { clientId, internalId };
      const triggers = [clientChanged(provider, keyById(provider, internalId), ids, cause)];
      // After a rename, what the old client ID holds in the mesh belongs to no client.
      if (known !== undefined && named !== undefined && known !== named)
        triggers.push(
          clientChanged(provider, clientKey(provider, known), { clientId: known, internalId }, cause),
        );
      if (named !== undefined) names.clients.set(internalId, named);
      const isDisabled = admin.operation === 'UPDATE' && admin.representation?.enabled === false;
      const order = clientOrder('client-disabled', provider, ids, at, cause);
      return { triggers, orders: isDisabled ? [order] : [] };
    }
  }
}

/**
 * The path of a part has only the client's internal ID. A known client ID saves a lookup. If the client was renamed since,
 * the job finds that the name is gone and reads by internal ID.
 */
function clientPartEffect({ provider, names, cause, urgent }: Change, internalId: string): Effect {
  const clientId = names.clients.get(internalId);
  const key = keyOfClient(provider, clientId, internalId);
  return onlyTriggers(
    urgent ? clientChanged(provider, key, { clientId, internalId }, cause) : { key, cause },
  );
}

function clientScopeEffect(change: Change): Effect {
  const { admin, provider, names, cause, urgent } = change;
  const [, id, part] = admin.path;
  if (id === undefined || (part !== undefined && part !== 'scope-mappings')) return NO_EFFECT;
  const known = names.scopes.get(id);
  // An added role can take the scope away as well: from everybody who does not have that role.
  if (part === 'scope-mappings')
    return onlyTriggers(
      fullRead(provider, cause, { evidence: known === undefined ? [] : [{ provider, scopes: [known] }] }),
    );
  const named = textIn(admin.representation, 'name');
  if (named !== undefined && isInternalId(id)) names.scopes.set(id, named);
  if (!urgent) return NO_EFFECT; // Nobody has a new scope yet.
  const lost = admin.operation === 'DELETE' ? (known ?? named) : known === named ? undefined : known;
  return readEverything(change, lost === undefined ? [] : [{ provider, scopes: [lost] }]);
}

/** The members of mapped groups may have changed. The evidence names the person or the groups if the path does. */
function membersEffect({ admin, provider, names, cause, urgent }: Change): Effect {
  const [kind, id = '', part, member] = admin.path;
  if (kind === 'users' && names.serviceAccounts.get(id) !== undefined) return NO_EFFECT;
  const person = kind === 'users' ? id : kind === 'organizations' && part === 'members' ? member : undefined;
  const evidence: Evidence =
    person === undefined ? { provider, groups: namedGroups(admin, names) } : { provider, people: [person] };
  return onlyTriggers(membersRead(provider, cause, { urgent, evidence: [evidence] }));
}

/** Tokens issued before the realm's not-before time are void. Later changes of the realm repeat it, which does no harm. */
function notBeforeEffect({ admin, provider, cause }: Change): Effect {
  const seconds = secondsOf(admin.representation?.notBefore);
  const at = seconds === undefined ? undefined : instantOf(seconds * 1000);
  return at === undefined ? NO_EFFECT : onlyOrder(sessionOrder(provider, undefined, at, cause));
}

function serviceAccountEffect({ provider, names, cause, urgent }: Change, userId: string): Effect {
  if (!isInternalId(userId)) return onlyTriggers(fullRead(provider, cause, { urgent }));
  const key: Key = { kind: 'client', provider, by: 'serviceAccount', value: userId };
  if (!urgent) return onlyTriggers({ key, cause });
  const internalId = names.serviceAccounts.get(userId);
  if (internalId === undefined) return onlyTriggers({ key, cause, urgent: true });
  const ids = { clientId: names.clients.get(internalId), internalId };
  return onlyTriggers(clientChanged(provider, key, ids, cause));
}

/**
 * A service account that is disabled or deleted ends its client's own login. A deleted ID cannot be looked up any more, so
 * if its client is unknown, everything is read. A user who is known to be a person concerns no client.
 */
function accountEffect(change: Change, userId: string): Effect {
  const { admin, names, urgent } = change;
  if (!urgent) return NO_EFFECT;
  const client = names.serviceAccounts.get(userId);
  if (client !== undefined) return clientPartEffect(change, client);
  const username = textIn(admin.representation, 'username');
  const isPerson =
    username === undefined ? names.knowsServiceAccounts : !username.toLowerCase().startsWith(SERVICE_ACCOUNT);
  if (isPerson) return NO_EFFECT;
  return admin.operation === 'DELETE' ? readEverything(change) : serviceAccountEffect(change, userId);
}

/**
 * A deleted client loses its roles, and a renamed client is another API. If the client ID is unknown, a deletion leads to a
 * complete read anyway.
 */
function clientRolesEffect(change: Change, internalId: string, lost: readonly Evidence[]): Effect {
  const { operation, representation } = change.admin;
  const known = change.names.clients.get(internalId);
  const named = textIn(representation, 'clientId');
  const ids = [known, named].filter((each) => each !== undefined);
  const isRenamed = operation === 'UPDATE' && ids.length === 2 && known !== named;
  if (!(operation === 'DELETE' || isRenamed)) return NO_EFFECT;
  const isApi = ids.some((each) => mayBeApi(each, change));
  return joinEffects(isApi ? readEverything(change, lost) : NO_EFFECT, membersEffect(change));
}

/** Whether roles of this client may open something. */
function mayBeApi(clientId: string | undefined, { serviceAccountRoles, apis, names }: EventContext): boolean {
  const isListed = clientId === undefined || apis === undefined || apis.includes(clientId);
  return names.mayRestrict || (serviceAccountRoles && isListed);
}
