import { isRecord } from '../../model/is-record.js';
import type { AccessCheck } from '../directory.js';
import { textIn } from '../records.js';
import type { AdminApi } from './admin-api.js';

/**
 * The roles of `realm-management` that the reads need. Without a role Keycloak refuses a read, or leaves out of the answer
 * what the token may not see.
 */
export async function checkKeycloakAccess(
  api: AdminApi,
  serviceAccountRoles: boolean,
  signal: AbortSignal,
): Promise<readonly AccessCheck[]> {
  const realm = await api.peek([], {}, signal);
  const clients = await api.peek(['clients'], { clientId: api.issuer.builtInClient }, signal);
  const scopes = await api.peek(['client-scopes'], {}, signal);
  const events = await api.peek(['admin-events'], { max: 1 }, signal);
  const log = await api.peek(['events', 'config'], {}, signal);
  // A list of users is merely empty without the role, but a read of one user is refused.
  const account = await readOwnAccountId(api, signal);
  const user = account === undefined ? undefined : await api.peek(['users', account], {}, signal);
  return [
    {
      permission: 'realm-management/view-clients',
      neededFor: 'the clients and their scopes',
      isGranted: isFilled(clients) && isFilled(scopes),
    },
    {
      permission: 'realm-management/view-realm',
      neededFor: "the realm's lifespans of access tokens and sessions",
      isGranted: isRecord(realm) && realm.accessTokenLifespan !== undefined,
    },
    {
      permission: 'realm-management/view-events',
      neededFor: 'the log of admin events, in which a poll finds changes',
      isGranted: Array.isArray(events),
    },
    ...(isRecord(log)
      ? [
          {
            permission: 'admin events',
            neededFor: 'changes between two complete reads',
            isGranted: log.adminEventsEnabled === true,
            remedy: saveEvents(api.issuer.realm),
          },
        ]
      : []),
    {
      permission: 'realm-management/view-users',
      neededFor: 'whether service accounts are enabled, their roles, and the members of groups',
      isGranted: user !== undefined,
      withoutIt: 'scopemesh does not see that somebody disables or deletes a service account',
      ...(serviceAccountRoles ? {} : { forGroupsOnly: true }),
    },
  ];
}

/** Off by default (www.keycloak.org/docs/latest/server_admin, Auditing admin events). */
export function saveEvents(realm: string): string {
  return `turn on "Save events" and "Include representation" under Realm settings, Events, Admin events settings, or run: kcadm.sh update events/config -r ${realm} -s adminEventsEnabled=true -s adminEventsDetailsEnabled=true`;
}

function isFilled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}

/** The user ID of the service account with which scopemesh reads; undefined if the token may not see it. */
export async function readOwnAccountId(api: AdminApi, signal: AbortSignal): Promise<string | undefined> {
  const clients = await api.peek(['clients'], { clientId: api.clientId }, signal);
  const own: unknown = Array.isArray(clients)
    ? clients.find((each) => textIn(each, 'clientId') === api.clientId)
    : undefined;
  const client = textIn(own, 'id');
  if (client === undefined) return undefined;
  return textIn(await api.peek(['clients', client, 'service-account-user'], {}, signal), 'id');
}
