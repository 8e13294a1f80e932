import { ClientUnreadable } from '../../errors.js';
import type { OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import type { ClientReference } from '../../model/key.js';
import type { Directory, DirectorySnapshot } from '../directory.js';
import { incomplete, WrongShape, wrongShape } from '../read-errors.js';
import { readListedClients } from '../read-listed-clients.js';
import { readForClient, textIn, toUnreadable } from '../records.js';
import { checkKeycloakAccess } from './access-checks.js';
import type { AdminApiOptions } from './admin-api.js';
import { readChangingPages } from './changing-pages.js';
import { type KeycloakClient, parseClient, secondsOf, toOAuthClient } from './client.js';
import { createEffectiveClients, type EffectiveClientOptions } from './effective-client.js';
import { isInternalId, type JsonObject } from './json.js';
import { readKeycloakMembers } from './members.js';
import { createMissingClients } from './missing-clients.js';
import { createScopeRestrictions, type ScopeIds } from './scope-restrictions.js';
import { type AccountState, createServiceAccounts, SERVICE_ACCOUNT } from './service-accounts.js';

export interface KeycloakDirectoryOptions
  extends AdminApiOptions,
    Omit<EffectiveClientOptions, 'restrictions'> {
  /** Entries per page; by default 100 clients and 200 events. */
  readonly pageSize?: number;
}

/** A client record that cannot be parsed. */
interface InvalidClient {
  readonly internalId: string;
  readonly clientId: string | undefined;
  readonly fault: string;
  /** False if the record certainly does not describe an OAuth client. */
  readonly isOAuth: boolean;
}

const REMEDY = 'give its service account the role view-clients of realm-management';
const CLIENT_LIMIT = 200_000;
/** Clients that are read at once. */
const CLIENT_READERS = 4;
const REALM_AGE_MS = 60_000;

/**
 * The clients of a realm, read by the Admin REST API. Keycloak leaves out of a list, with status 200, what the token may not
 * see. So a list counts only if the token is shown to see everything: the realm's built-in client, scopemesh's own client
 * and the client scopes must be there.
 */
export function createKeycloakDirectory(options: KeycloakDirectoryOptions): Directory {
  const { provider, logger, clock, metrics, serviceAccountRoles, api, names } = options;
  const { realm, builtInClient: builtIn } = api.issuer;
  const place = api.placeOf('clients');
  const pageSize = Math.max(options.pageSize ?? 100, 2);
  /** `lifespans` are the last visible ones. */
  let realmRead:
    | { readonly lifespans: RealmLifespans; readonly isVisible: boolean; readonly readAt: number }
    | undefined;

  const parse = (value: unknown): KeycloakClient | InvalidClient => {
    try {
      const client = parseClient(value, place);
      if (!isInternalId(client.internalId)) throw wrongShape(place, 'a client has an impossible id');
      return client;
    } catch (error) {
      if (!(error instanceof WrongShape)) throw error;
      const internalId = textIn(value, 'id') ?? `? ${JSON.stringify(value)}`;
      const isOAuth = (textIn(value, 'protocol') ?? 'openid-connect') === 'openid-connect';
      return { internalId, clientId: textIn(value, 'clientId'), fault: error.message, isOAuth };
    }
  };
  const requireValid = (client: KeycloakClient | InvalidClient): KeycloakClient => {
    if (isInvalid(client)) throw new ClientUnreadable(place, client.clientId, client.fault);
    return client;
  };
  const list = async (query: Record<string, string | number>, signal: AbortSignal) =>
    (await api.list(['clients'], query, signal)).map(parse);
  const notVisible = (what: string) => incomplete(place, `${what}; ${REMEDY}`, false);

  /**
   * Without the role for it, Keycloak leaves the lifespans out of its answer; then the last visible ones count. An answer
   * that fails is an error, so that a temporary failure shortens no lifetime.
   */
  const readLifespans = async (maxAgeMs: number, signal: AbortSignal): Promise<RealmLifespans> => {
    if (realmRead !== undefined && clock.now() - realmRead.readAt < maxAgeMs) return realmRead.lifespans;
    const answer = await api.get([], {}, signal);
    if (!isRecord(answer) || answer.realm !== realm)
      throw wrongShape(place, 'the answer is about another realm');
    const read = toRealmLifespans(answer);
    const isVisible = read.access !== undefined;
    if (!isVisible && realmRead?.isVisible !== false) {
      logger.warn(
        { provider, remedy: 'give the service account the role view-realm of realm-management' },
        'the access token lifespan of the realm cannot be read, so no Consul token is extended',
      );
    }
    const lifespans = isVisible ? read : (realmRead?.lifespans ?? read);
    realmRead = { lifespans, isVisible, readAt: clock.now() };
    return lifespans;
  };

  const readScopes = async (signal: AbortSignal): Promise<ScopeIds> => {
    const scopes = await api.list(['client-scopes'], {}, signal);
    if (scopes.length === 0) throw notVisible('the access token sees no client scope');
    const ids = new Map<string, string>();
    for (const scope of scopes) {
      const id = textIn(scope, 'id');
      const name = textIn(scope, 'name');
      if (id === undefined || name === undefined) continue;
      names.scopes.set(id, name);
      ids.set(name, id);
    }
    if (ids.size === 0) throw wrongShape(place, 'client scopes are shown only in part');
    return { ids, isPartial: ids.size < scopes.length };
  };
  const accounts = createServiceAccounts(api, names, pageSize);
  const missing = createMissingClients();
  const restrictions = createScopeRestrictions(api, names, readScopes);
  const toEffective = createEffectiveClients({ ...options, restrictions });

  const findByClientId = async (
    clientId: string,
    signal: AbortSignal,
  ): Promise<KeycloakClient | undefined> => {
    const found = await list({ clientId }, signal);
    const exact = found.find((client) => client.clientId === clientId);
    if (exact !== undefined) return requireValid(exact);
    // Some databases ignore case. Any other result means that Keycloak did not apply the filter.
    const folded = clientId.toLowerCase();
    if (found.some((client) => client.clientId?.toLowerCase() !== folded))
      throw wrongShape(place, 'a search for one client returned another');
    return undefined;
  };

  /** Throws unless this access token would have seen the client that is missing. */
  const confirmAbsence = async (signal: AbortSignal): Promise<undefined> => {
    if ((await findByClientId(api.clientId, signal)) === undefined)
      throw notVisible('the access token does not see its own client');
    await readScopes(signal);
    return undefined;
  };

  const toClient = async (
    read: KeycloakClient,
    account: AccountState,
    lifespans: RealmLifespans,
    signal: AbortSignal,
  ): Promise<OAuthClient> => {
    const { client, roles } = await toEffective(read, account, signal);
    return toOAuthClient(provider, client, roles, lifetimeOf(client, lifespans));
  };

  const complete = async (
    client: KeycloakClient | undefined,
    signal: AbortSignal,
  ): Promise<OAuthClient | undefined> => {
    if (client === undefined) return confirmAbsence(signal);
    names.clients.set(client.internalId, client.clientId);
    if (!client.isOAuth) return undefined;
    const lifespans = await readLifespans(REALM_AGE_MS, signal);
    return readForClient(client.clientId, place, async () =>
      toClient(client, await accounts.read(client, signal), lifespans, signal),
    );
  };

  const readByClientId = async (clientId: string, signal: AbortSignal): Promise<OAuthClient | undefined> => {
    // Keycloak treats a blank filter as no filter; no client has a blank ID.
    if (clientId.trim() === '') return undefined;
    return complete(await findByClientId(clientId, signal), signal);
  };

  const findByInternalId = async (id: string, signal: AbortSignal): Promise<KeycloakClient | undefined> => {
    if (!isInternalId(id)) throw wrongShape(place, 'no client can have the id of this key');
    const answer = await api.find(['clients', id], 'Could not find client', signal);
    if (answer === undefined) return undefined;
    if (textIn(answer, 'id') !== id) throw wrongShape(place, 'a read of one client returned another');
    return requireValid(parse(answer));
  };

  const readByServiceAccount = async (id: string, signal: AbortSignal): Promise<OAuthClient | undefined> => {
    if (!isInternalId(id)) throw wrongShape(place, 'no user can have the id of this key');
    const known = names.serviceAccounts.get(id);
    const remembered = known === undefined ? undefined : await findByInternalId(known, signal);
    if (remembered !== undefined) return complete(remembered, signal);
    // Without the role for it no account counts, and no user is visible.
    if (!serviceAccountRoles && !(await accounts.areSeen(signal))) return undefined;
    const user = await api.find(['users', id], 'User not found', signal);
    if (user === undefined) return confirmAbsence(signal);
    const username = textIn(user, 'username');
    if (username === undefined) throw wrongShape(place, 'a user has no name');
    // The user does not name its client (Keycloak 26), but the user name contains the client ID in lower case.
    if (!username.startsWith(SERVICE_ACCOUNT)) return undefined;
    const folded = username.slice(SERVICE_ACCOUNT.length);
    const similar = await list({ clientId: folded, search: 'true', max: 1000 }, signal);
    const owner = similar.find(
      (each) => (isInvalid(each) || each.hasServiceAccount) && each.clientId?.toLowerCase() === folded,
    );
    return owner === undefined ? confirmAbsence(signal) : complete(requireValid(owner), signal);
  };

  return {
    provider,
    async readAll(signal): Promise<DirectorySnapshot> {
      const before = api.requests();
      const lifespans = await readLifespans(0, signal);
      const listed = await readChangingPages({
        place,
        pageSize,
        limit: CLIENT_LIMIT,
        read: (first, max) => list({ first, max }, signal),
        idOf: (client) => client.internalId,
      });
      if (!listed.isWhole) {
        metrics.count('scopemesh_directory_changed_lists_total', { provider });
        const remedy = 'look in the admin events for who creates and deletes clients all the time';
        logger.warn({ provider, remedy }, 'the list of clients changed during both of two reads');
      }
      const { found: confirmed, unreadable } = await missing.confirm(listed, findByInternalId, signal);
      const read = [...listed.entries, ...confirmed];
      const records = listed.isWhole ? read : lastOfEach(read);
      const clients = records.filter(isValid);
      const invalid = records.filter(isInvalid);
      // The built-in client is in the list too: if no record is complete, the token sees all clients only in part.
      if (clients.length === 0 && invalid[0] !== undefined) throw wrongShape(place, invalid[0].fault);
      const named = records.flatMap(({ clientId }) => clientId ?? []);
      const seen = new Set(named);
      if (seen.size !== named.length) throw wrongShape(place, 'two clients have the same client id');
      if (!seen.has(builtIn)) throw notVisible(`the built-in client ${builtIn} is not in the list`);
      if (!seen.has(api.clientId)) throw notVisible('the client of scopemesh is not in the list');
      const scopeIds = await readScopes(signal);
      for (const client of clients) names.clients.set(client.internalId, client.clientId);
      const relevant = clients.filter((client) => client.isOAuth);
      await restrictions.refresh(
        relevant.flatMap(({ scopes }) => scopes),
        scopeIds,
        signal,
      );
      const accountOf = await accounts.readAll(relevant, signal);
      for (const { isOAuth, clientId, fault } of invalid)
        if (isOAuth) unreadable.push(toUnreadable(clientId, fault));
      const found = await readListedClients(
        relevant,
        CLIENT_READERS,
        async (client) => {
          const account = accountOf(client);
          if (account === 'unknown')
            throw wrongShape(place, 'its service account is missing from a list that changed');
          return toClient(client, account, lifespans, signal);
        },
        (client) => readByClientId(client.clientId, signal),
      );
      missing.remember(records);
      return {
        clients: found.clients,
        unreadable: [...unreadable, ...found.unreadable],
        requests: api.requests() - before,
      };
    },
    async read(by: ClientReference, value: string, signal) {
      switch (by) {
        case 'clientId':
          return readByClientId(value, signal);
        case 'internalId':
          return complete(await findByInternalId(value, signal), signal);
        case 'serviceAccount':
          return readByServiceAccount(value, signal);
      }
    },
    readMembers: (groups, signal, admitted) =>
      readKeycloakMembers(api, names, { pageSize, admitted }, groups, signal),
    checkAccess: (signal) => checkKeycloakAccess(api, serviceAccountRoles, signal),
    close: () => api.close(),
  };
}

/** A client that was deleted and created again between two pages is in the list twice. The later record is the new one. */
function lastOfEach<T extends { readonly clientId: string | undefined }>(
  records: readonly T[],
): readonly T[] {
  const last = new Map(records.map((record) => [record.clientId, record]));
  return records.filter((record) => record.clientId === undefined || last.get(record.clientId) === record);
}

function isValid(client: KeycloakClient | InvalidClient): client is KeycloakClient {
  return !isInvalid(client);
}

function isInvalid(client: KeycloakClient | InvalidClient): client is InvalidClient {
  return 'fault' in client;
}

/** The lifespans of a realm in seconds, as far as the access token may see them. */
type RealmLifespans = ReturnType<typeof toRealmLifespans>;

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
