import { ClientUnreadable, IncompleteRead } from '../../errors.js';
import { mapBounded } from '../../map-bounded.js';
import type { OAuthClient } from '../../model/client.js';
import type { ClientReference } from '../../model/key.js';
import type { Logger } from '../../observe.js';
import type { Directory, DirectorySnapshot, UnreadableClient } from '../directory.js';
import { readingOf, textIn, toUnreadable, WrongShape, wrongShape } from '../records.js';
import { checkKeycloakAccess } from './access-checks.js';
import { type AdminApi, type AdminApiOptions, createAdminApi } from './admin-api.js';
import { type KeycloakClient, parseClient, toOAuthClient } from './client.js';
import { createEffectiveClients } from './effective-client.js';
import { isInternalId, isObject, textAt } from './json.js';
import { lifetimeOf, type RealmLifespans, toRealmLifespans } from './lifetime.js';
import { readKeycloakMembers } from './members.js';
import { createKeycloakNames, type KeycloakNames } from './names.js';
import { readPages } from './pages.js';
import { createScopeRestrictions } from './scope-restrictions.js';
import { type AccountState, createServiceAccounts, SERVICE_ACCOUNT } from './service-accounts.js';

export interface KeycloakDirectoryOptions extends AdminApiOptions {
  /** Whether the roles of a client's service account count as scopes; takes the role `view-users`. */
  readonly serviceAccountRoles: boolean;
  /** Client ids of the clients whose roles count; absent, those of all. */
  readonly apis?: readonly string[];
  /** Clients to a page; 100 by default. */
  readonly pageSize?: number;
  readonly logger: Logger;
  /** Shared with the event source, so that its events can name what they carry an id of. */
  readonly names?: KeycloakNames;
  /** Shared with the poll; closed with the directory. */
  readonly api?: AdminApi;
}

/** A record that cannot be parsed. */
interface SpoiltClient {
  readonly internalId: string;
  readonly clientId: string | undefined;
  readonly fault: string;
  /** False for what is no OAuth client, whatever else its record says. */
  readonly isOAuth: boolean;
}

const REMEDY = 'give its service account the role view-clients of realm-management';
const CLIENT_LIMIT = 200_000;
/** Clients looked at side by side. */
const CLIENT_READERS = 4;
const REALM_AGE_MS = 60_000;

/**
 * The clients of a realm by the Admin REST API. Keycloak leaves out of a list, with status 200, what the token
 * may not see; so no list is believed unless it is shown that the token sees everything: the realm's own
 * built-in client, scopemesh's client and the client scopes must be there.
 */
export function createKeycloakDirectory(options: KeycloakDirectoryOptions): Directory {
  const { provider, logger, clock, serviceAccountRoles } = options;
  const api = options.api ?? createAdminApi(options);
  const names = options.names ?? createKeycloakNames();
  const { realm } = api.issuer;
  const place = `provider ${provider}, realm ${realm}, clients`;
  const builtIn = realm === 'master' ? 'master-realm' : 'realm-management';
  const pageSize = Math.max(options.pageSize ?? 100, 2);
  /** `lifespans` are those that were last seen. */
  let realmRead:
    | { readonly lifespans: RealmLifespans; readonly isSeen: boolean; readonly readAt: number }
    | undefined;

  const parse = (value: unknown): KeycloakClient | SpoiltClient => {
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
  const parseOne = (value: unknown): KeycloakClient => {
    const client = parse(value);
    if (isSpoilt(client)) throw new ClientUnreadable(place, client.clientId, client.fault);
    return client;
  };
  const list = async (query: Record<string, string | number>, signal: AbortSignal) => {
    const answer = await api.get(['clients'], query, signal);
    if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
    return answer.map(parse);
  };
  const unseen = (what: string) =>
    new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: ${what}; ${REMEDY}`, { retriable: false });

  /**
   * Without the role for it Keycloak leaves the lifespans out of its answer; the last that were seen are then kept. An
   * answer that fails is an error, or a passing failure would shorten what lives.
   */
  const readLifespans = async (maxAgeMs: number, signal: AbortSignal): Promise<RealmLifespans> => {
    if (realmRead !== undefined && clock.now() - realmRead.readAt < maxAgeMs) return realmRead.lifespans;
    const answer = await api.get([], {}, signal);
    if (!isObject(answer) || answer.realm !== realm) throw wrongShape(place, 'the realm has another name');
    const read = toRealmLifespans(answer);
    const isSeen = read.access !== undefined;
    // Said once, until it is mended.
    if (!isSeen && realmRead?.isSeen !== false) {
      logger.warn(
        { provider, remedy: 'give the service account the role view-realm of realm-management' },
        'the access token lifespan of the realm cannot be read: no Consul token lives longer for that',
      );
    }
    const lifespans = isSeen ? read : (realmRead?.lifespans ?? read);
    realmRead = { lifespans, isSeen, readAt: clock.now() };
    return lifespans;
  };

  /** Ids of all client scopes, by their names. */
  const readScopes = async (signal: AbortSignal): Promise<ReadonlyMap<string, string>> => {
    const scopes = await api.get(['client-scopes'], {}, signal);
    if (!Array.isArray(scopes)) throw wrongShape(place, 'client scopes are not a list');
    if (scopes.length === 0) throw unseen('the token sees no client scope');
    const ids = new Map<string, string>();
    for (const scope of scopes) {
      const id = isObject(scope) ? textAt(scope, 'id') : undefined;
      const name = isObject(scope) ? textAt(scope, 'name') : undefined;
      if (id === undefined || name === undefined) throw wrongShape(place, 'a client scope has no name');
      names.learnScope(id, name);
      ids.set(name, id);
    }
    return ids;
  };
  const accounts = createServiceAccounts(api, names, pageSize);
  const restrictions = createScopeRestrictions(api, names, readScopes);
  const readStanding = createEffectiveClients({ ...options, api, names, restrictions });

  const exactly = async (clientId: string, signal: AbortSignal): Promise<KeycloakClient | undefined> => {
    const found = await list({ clientId }, signal);
    const exact = found.find((client) => client.clientId === clientId);
    if (exact !== undefined && isSpoilt(exact)) throw new ClientUnreadable(place, clientId, exact.fault);
    // Some databases compare without case; any other stranger means that the filter was not heeded.
    const folded = clientId.toLowerCase();
    if (exact === undefined && found.some((client) => client.clientId?.toLowerCase() !== folded)) {
      throw wrongShape(place, 'a search for one client found another');
    }
    return exact;
  };

  /** Throws unless this very token would have seen the client that it did not see. */
  const confirmAbsence = async (signal: AbortSignal): Promise<undefined> => {
    if ((await exactly(api.clientId, signal)) === undefined)
      throw unseen('the token does not see its client');
    await readScopes(signal);
    return undefined;
  };

  const toClient = async (
    read: KeycloakClient,
    account: AccountState,
    lifespans: RealmLifespans,
    signal: AbortSignal,
  ): Promise<OAuthClient> => {
    const { client, roles } = await readStanding(read, account, signal);
    return toOAuthClient(provider, client, roles, lifetimeOf(client, lifespans));
  };

  const complete = async (
    client: KeycloakClient | undefined,
    signal: AbortSignal,
  ): Promise<OAuthClient | undefined> => {
    if (client === undefined) return confirmAbsence(signal);
    names.learnClient(client.internalId, client.clientId);
    if (!client.isOAuth) return undefined;
    const lifespans = await readLifespans(REALM_AGE_MS, signal);
    const account = await accounts.read(client, signal);
    return readingOf(client.clientId, place, () => toClient(client, account, lifespans, signal));
  };

  const byInternalId = async (id: string, signal: AbortSignal): Promise<KeycloakClient | undefined> => {
    if (!isInternalId(id)) throw wrongShape(place, 'no client can have the id of this key');
    const answer = await api.find(['clients', id], 'Could not find client', signal);
    if (answer === undefined) return undefined;
    if (textIn(answer, 'id') !== id) throw wrongShape(place, 'a read of one client found another');
    const client = parseOne(answer);
    return client;
  };

  const byServiceAccount = async (id: string, signal: AbortSignal): Promise<OAuthClient | undefined> => {
    if (!isInternalId(id)) throw wrongShape(place, 'no user can have the id of this key');
    const known = names.serviceAccountClient(id);
    const remembered = known === undefined ? undefined : await byInternalId(known, signal);
    if (remembered !== undefined) return complete(remembered, signal);
    // Without the role for it no account counts for anything, and no user is shown.
    if (!serviceAccountRoles && !(await accounts.areSeen(signal))) return undefined;
    const user = await api.find(['users', id], 'User not found', signal);
    if (user === undefined) return confirmAbsence(signal);
    const username = isObject(user) ? textAt(user, 'username') : undefined;
    if (username === undefined) throw wrongShape(place, 'a user has no name');
    // The user itself does not say whose it is (Keycloak 26), but its name follows the client id in lower case.
    if (!username.startsWith(SERVICE_ACCOUNT)) return undefined;
    const folded = username.slice(SERVICE_ACCOUNT.length);
    const similar = await list({ clientId: folded, search: 'true', max: 1000 }, signal);
    const owner = similar.find(
      (each) => (isSpoilt(each) || each.hasServiceAccount) && each.clientId?.toLowerCase() === folded,
    );
    if (owner !== undefined && isSpoilt(owner))
      throw new ClientUnreadable(place, owner.clientId, owner.fault);
    return owner === undefined ? confirmAbsence(signal) : complete(owner, signal);
  };

  return {
    provider,
    async readAll(signal): Promise<DirectorySnapshot> {
      const before = api.requests;
      const lifespans = await readLifespans(0, signal);
      const records = await readPages({
        place,
        pageSize,
        limit: CLIENT_LIMIT,
        read: (first, max) => list({ first, max }, signal),
        idOf: (client) => client.internalId,
      });
      const clients = records.filter(isReadable);
      // The built-in client is among them: a token that sees every client in part sees nobody's scopes.
      const [first] = records.filter(isSpoilt);
      if (clients.length === 0 && first !== undefined) throw wrongShape(place, first.fault);
      const named = records.flatMap(({ clientId }) => clientId ?? []);
      const seen = new Set(named);
      if (seen.size !== named.length) throw wrongShape(place, 'two clients have the same client id');
      if (!seen.has(builtIn)) throw unseen(`the built-in client ${builtIn} is not in the list`);
      if (!seen.has(api.clientId)) throw unseen('the client that reads is not in the list');
      const scopeIds = await readScopes(signal);
      for (const client of clients) names.learnClient(client.internalId, client.clientId);
      const relevant = clients.filter((client) => client.isOAuth);
      await restrictions.refresh(
        relevant.flatMap(({ scopes }) => scopes),
        scopeIds,
        signal,
      );
      const accountOf = await accounts.readAll(signal);
      const unreadable: UnreadableClient[] = records
        .filter(isSpoilt)
        .filter(({ isOAuth }) => isOAuth)
        .map(({ clientId, fault }) => toUnreadable(clientId, fault));
      const found = await mapBounded(relevant, { width: CLIENT_READERS }, async (client) => {
        try {
          return await toClient(client, accountOf(client), lifespans, signal);
        } catch (error) {
          if (!(error instanceof WrongShape)) throw error;
          unreadable.push({ clientId: client.clientId, why: error.message });
          return [];
        }
      });
      return { clients: found.flat(), unreadable, requests: api.requests - before };
    },
    async read(by: ClientReference, value: string, signal) {
      switch (by) {
        case 'clientId':
          // Keycloak takes a blank filter for none at all; no client has a blank id.
          if (value.trim() === '') return undefined;
          return complete(await exactly(value, signal), signal);
        case 'internalId':
          return complete(await byInternalId(value, signal), signal);
        case 'serviceAccount':
          return byServiceAccount(value, signal);
      }
    },
    readMembers: (groups, signal) => readKeycloakMembers(api, names, { pageSize }, groups, signal),
    checkAccess: (signal) => checkKeycloakAccess(api, { builtIn, serviceAccountRoles }, signal),
    close: () => api.close(),
  };
}

function isReadable(client: KeycloakClient | SpoiltClient): client is KeycloakClient {
  return !isSpoilt(client);
}

function isSpoilt(client: KeycloakClient | SpoiltClient): client is SpoiltClient {
  return 'fault' in client;
}
