import { IncompleteRead } from '../../errors.js';
import type { Grant, OAuthClient } from '../../model/client.js';
import type { ClientReference } from '../../model/key.js';
import type { Logger } from '../../observe.js';
import type { Directory, DirectorySnapshot } from '../directory.js';
import { checkKeycloakAccess } from './access-checks.js';
import { type AdminApi, type AdminApiOptions, createAdminApi } from './admin-api.js';
import { type KeycloakClient, parseClient, secondsOf, toOAuthClient, wrongShape } from './client.js';
import { isInternalId, isObject, textAt } from './json.js';
import { readKeycloakMembers } from './members.js';
import { createKeycloakNames, type KeycloakNames } from './names.js';
import { readPages } from './pages.js';
import { readServiceAccountRoles } from './roles.js';

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

const REMEDY = 'give its service account the role view-clients of realm-management';
const CLIENT_LIMIT = 200_000;
const REALM_AGE_MS = 60_000;
const ROLE_READERS = 4;

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
  /** `seconds` are those that were last seen. */
  let lifespan: { readonly seconds?: number; readonly isRead: boolean; readonly readAt: number } | undefined;

  const parse = (value: unknown): KeycloakClient => {
    const client = parseClient(value, place);
    if (!isInternalId(client.internalId)) throw wrongShape(place, 'a client has an impossible id');
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
   * Without the role for it Keycloak leaves the lifespan out of its answer; the last that was seen is then kept. Undefined
   * where none ever was. An answer that fails is an error, or a passing failure would shorten what lives.
   */
  const readRealmLifespan = async (maxAgeMs: number, signal: AbortSignal): Promise<number | undefined> => {
    if (lifespan !== undefined && clock.now() - lifespan.readAt < maxAgeMs) return lifespan.seconds;
    const answer = await api.get([], {}, signal);
    if (!isObject(answer) || answer.realm !== realm) throw wrongShape(place, 'the realm has another name');
    const read = secondsOf(answer.accessTokenLifespan);
    // Said once, until it is mended.
    if (read === undefined && lifespan?.isRead !== false) {
      logger.warn(
        { provider, remedy: 'give the service account the role view-realm of realm-management' },
        'the access token lifespan of the realm cannot be read: no Consul token lives longer for that',
      );
    }
    const seconds = read ?? lifespan?.seconds;
    const isRead = read !== undefined;
    lifespan = { ...(seconds === undefined ? {} : { seconds }), isRead, readAt: clock.now() };
    return seconds;
  };

  const readScopes = async (signal: AbortSignal): Promise<void> => {
    const scopes = await api.get(['client-scopes'], {}, signal);
    if (!Array.isArray(scopes)) throw wrongShape(place, 'client scopes are not a list');
    if (scopes.length === 0) throw unseen('the token sees no client scope');
    for (const scope of scopes) {
      const id = isObject(scope) ? textAt(scope, 'id') : undefined;
      const name = isObject(scope) ? textAt(scope, 'name') : undefined;
      if (id === undefined || name === undefined) throw wrongShape(place, 'a client scope has no name');
      names.learnScope(id, name);
    }
  };

  const exactly = async (clientId: string, signal: AbortSignal): Promise<KeycloakClient | undefined> => {
    const found = await list({ clientId }, signal);
    const exact = found.find((client) => client.clientId === clientId);
    // Some databases compare without case; any other stranger means that the filter was not heeded.
    const folded = clientId.toLowerCase();
    if (exact === undefined && found.some((client) => client.clientId.toLowerCase() !== folded)) {
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

  const rolesOf = (client: KeycloakClient, signal: AbortSignal): Promise<readonly Grant[]> =>
    serviceAccountRoles
      ? readServiceAccountRoles(api, client, { ...options, names }, signal)
      : Promise.resolve([]);

  const complete = async (
    client: KeycloakClient | undefined,
    signal: AbortSignal,
  ): Promise<OAuthClient | undefined> => {
    if (client === undefined) return confirmAbsence(signal);
    names.learnClient(client.internalId, client.clientId);
    if (!client.isOAuth) return undefined;
    const seconds = await readRealmLifespan(REALM_AGE_MS, signal);
    return toOAuthClient(provider, client, await rolesOf(client, signal), seconds);
  };

  const byInternalId = async (id: string, signal: AbortSignal): Promise<KeycloakClient | undefined> => {
    if (!isInternalId(id)) throw wrongShape(place, 'no client can have the id of this key');
    const answer = await api.find(['clients', id], 'Could not find client', signal);
    if (answer === undefined) return undefined;
    const client = parse(answer);
    if (client.internalId !== id) throw wrongShape(place, 'a read of one client found another');
    return client;
  };

  const byServiceAccount = async (id: string, signal: AbortSignal): Promise<OAuthClient | undefined> => {
    if (!isInternalId(id)) throw wrongShape(place, 'no user can have the id of this key');
    const known = names.serviceAccountClient(id);
    const remembered = known === undefined ? undefined : await byInternalId(known, signal);
    if (remembered?.hasServiceAccount && (await isAccountOf(remembered, id, signal))) {
      return complete(remembered, signal);
    }
    const user = await api.find(['users', id], 'User not found', signal);
    if (user === undefined) return confirmAbsence(signal);
    const username = isObject(user) ? textAt(user, 'username') : undefined;
    if (username === undefined) throw wrongShape(place, 'a user has no name');
    // The user itself does not say whose it is (Keycloak 26), but its name follows the client id in lower case.
    const prefix = 'service-account-';
    if (!username.startsWith(prefix)) return undefined;
    const folded = username.slice(prefix.length);
    const similar = await list({ clientId: folded, search: 'true', max: 1000 }, signal);
    for (const client of similar) {
      if (client.clientId.toLowerCase() !== folded || !client.hasServiceAccount) continue;
      if (await isAccountOf(client, id, signal)) return complete(client, signal);
    }
    return confirmAbsence(signal);
  };

  const isAccountOf = async (client: KeycloakClient, userId: string, signal: AbortSignal) => {
    const user = await api.get(['clients', client.internalId, 'service-account-user'], {}, signal);
    return isObject(user) && user.id === userId;
  };

  return {
    provider,
    async readAll(signal): Promise<DirectorySnapshot> {
      const before = api.requests;
      const seconds = await readRealmLifespan(0, signal);
      const clients = await readPages({
        place,
        pageSize,
        limit: CLIENT_LIMIT,
        read: (first, max) => list({ first, max }, signal),
        idOf: (client) => client.internalId,
      });
      const seen = new Set(clients.map((client) => client.clientId));
      if (seen.size !== clients.length) throw wrongShape(place, 'two clients have the same client id');
      if (!seen.has(builtIn)) throw unseen(`the built-in client ${builtIn} is not in the list`);
      if (!seen.has(api.clientId)) throw unseen('the client that reads is not in the list');
      await readScopes(signal);
      for (const client of clients) names.learnClient(client.internalId, client.clientId);
      const found = await mapBounded(
        clients.filter((client) => client.isOAuth),
        async (client) => toOAuthClient(provider, client, await rolesOf(client, signal), seconds),
      );
      return { clients: found, requests: api.requests - before };
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

/** In the order of `items`, a few at a time; the first failure ends it. */
async function mapBounded<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const queue = items.entries();
  let failed = false;
  const worker = async () => {
    for (const [at, item] of queue) {
      if (failed) return;
      results[at] = await map(item);
    }
  };
  const workers = Array.from({ length: ROLE_READERS }, () =>
    worker().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  const settled = await Promise.allSettled(workers);
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}
