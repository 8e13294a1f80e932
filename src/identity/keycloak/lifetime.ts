import { type KeycloakClient, secondsOf } from './client.js';
import type { JsonObject } from './json.js';

/** What a realm says of lifespans, in seconds, as far as the token may see it. */
export interface RealmLifespans {
  readonly access?: number;
  readonly implicit?: number;
  readonly clientSession?: number;
  readonly session?: number;
}

export function toRealmLifespans(realm: JsonObject): RealmLifespans {
  return Object.fromEntries(
    [
      ['access', secondsOf(realm.accessTokenLifespan)],
      ['implicit', secondsOf(realm.accessTokenLifespanForImplicitFlow)],
      ['clientSession', secondsOf(realm.clientSessionMaxLifespan)],
      ['session', secondsOf(realm.ssoSessionMaxLifespan)],
    ].filter(([, seconds]) => seconds !== undefined),
  );
}

/**
 * How long an access token of the client lasts, the shortest where its flows differ: its own lifespan or the realm's,
 * the implicit flow's of the realm alone, and never longer than the session behind it, which each login of a client by
 * itself has too. Undefined where what counts cannot be read.
 */
export function lifetimeOf(client: KeycloakClient, realm: RealmLifespans): number | undefined {
  const { attributes, grantTypes } = client;
  const ownSession = secondsOf(attributes['client.session.max.lifespan']);
  const session = least([ownSession ?? realm.clientSession, realm.session]);
  // Its own -1 means the session's.
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
