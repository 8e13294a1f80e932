import type { AccessCheck } from '../directory.js';
import type { AdminApi } from './admin-api.js';
import { isObject } from './json.js';

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
  const events = await api.peek(['admin-events'], { max: 1 }, signal);
  const users = await api.peek(['users'], { max: 1 }, signal);
  return [
    {
      permission: 'realm-management/view-clients',
      neededFor: 'the clients and their scopes',
      isGranted: Array.isArray(clients) && clients.length > 0,
    },
    {
      permission: 'realm-management/view-realm',
      neededFor: "the realm's lifespan of access tokens",
      isGranted: isObject(realm) && realm.accessTokenLifespan !== undefined,
    },
    {
      permission: 'realm-management/view-events',
      neededFor: 'the log of admin events, in which a poll finds changes',
      isGranted: Array.isArray(events),
    },
    {
      permission: 'realm-management/view-users',
      neededFor: 'the roles of service accounts, and the members of groups',
      isGranted: Array.isArray(users),
      ...(options.serviceAccountRoles ? {} : { forGroupsOnly: true }),
    },
  ];
}
