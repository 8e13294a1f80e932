import { definedFields } from '../../model/defined-fields.js';
import { type KeycloakClient, secondsOf } from './client.js';
import type { JsonObject } from './json.js';

/** The lifespans of a realm in seconds, as far as the access token may see them. */
export type RealmLifespans = ReturnType<typeof toRealmLifespans>;

export function toRealmLifespans(realm: JsonObject) {
  return definedFields({
    access: secondsOf(realm.accessTokenLifespan),
    implicit: secondsOf(realm.accessTokenLifespanForImplicitFlow),
    clientSession: secondsOf(realm.clientSessionMaxLifespan),
    session: secondsOf(realm.ssoSessionMaxLifespan),
  });
}

/**
 * The lifetime of the client's access tokens, the shortest if its flows differ. It is the client's own lifespan or else the
 * realm's; for the implicit flow always the realm's. It is never longer than the session, which a client's own login has
 * too. Undefined if a value that counts cannot be read.
 */
export function lifetimeOf(client: KeycloakClient, realm: RealmLifespans): number | undefined {
  const { attributes, grantTypes } = client;
  const ownSession = secondsOf(attributes['client.session.max.lifespan']);
  const session = least([ownSession ?? realm.clientSession, realm.session]);
  // The client's own -1 means the lifespan of the session.
  const access =
    attributes['access.token.lifespan'] === '-1'
      ? session
      : (secondsOf(attributes['access.token.lifespan']) ?? realm.access);
  const isImplicit = grantTypes.includes('implicit');
  const flows = [
    ...(isImplicit ? [realm.implicit] : []),
    ...(isImplicit && grantTypes.length === 1 ? [] : [access]),
  ];
  return flows.includes(undefined) ? undefined : least([...flows, session]);
}

function least(seconds: readonly (number | undefined)[]): number | undefined {
  const known = seconds.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
