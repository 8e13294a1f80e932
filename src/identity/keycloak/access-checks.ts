import type { AccessCheck } from '../directory.js';
import type { AdminApi } from './admin-api.js';
import { isObject, textAt } from './json.js';

/**
 * The roles of `realm-management` that are read with, each by what Keycloak answers without it: it refuses, or leaves
 * out what the token may not see. `builtIn` is a client that every realm has.
 */
export async function checkKeycloakAccess(
  api: AdminApi,
  options: { readonly builtIn: string; readonly serviceAccountRoles: boolean },
  signal: AbortSignal,
): Promise<readonly AccessCheck[]> {
  const realm = await api.peek([], {}, signal);
  const clients = await api.peek(['clients'], { clientId: options.builtIn }, signal);
  const scopes = await api.peek(['client-scopes'], {}, signal);
  const events = await api.peek(['admin-events'], { max: 1 }, signal);
  return [
    {
      permission: 'realm-management/view-clients',
      neededFor: 'the clients and their scopes',
      isGranted: isFilled(clients) && isFilled(scopes),
    },
    {
      permission: 'realm-management/view-realm',
      neededFor: "the realm's lifespans of access tokens and sessions",
      isGranted: isObject(realm) && realm.accessTokenLifespan !== undefined,
    },
    {
      permission: 'realm-management/view-events',
      neededFor: 'the log of admin events, in which a poll finds changes',
      isGranted: Array.isArray(events),
    },
    {
      permission: 'realm-management/view-users',
      neededFor: 'whether service accounts are enabled, their roles, and the members of groups',
      isGranted: await seesUsers(api, signal),
      withoutIt: 'scopemesh does not see that somebody disables or deletes a service account',
      ...(options.serviceAccountRoles ? {} : { forGroupsOnly: true }),
    },
  ];
}

/** By its own account: a list of users is merely empty without the role, a user is refused. */
async function seesUsers(api: AdminApi, signal: AbortSignal): Promise<boolean> {
  const clients = await api.peek(['clients'], { clientId: api.clientId }, signal);
  const [own]: unknown[] = Array.isArray(clients) ? clients : [];
  const client = isObject(own) ? textAt(own, 'id') : undefined;
  if (client === undefined) return false;
  const account = await api.peek(['clients', client, 'service-account-user'], {}, signal);
  const user = isObject(account) ? textAt(account, 'id') : undefined;
  return user !== undefined && (await api.peek(['users', user], {}, signal)) !== undefined;
}

function isFilled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}
