import { wrongShape } from '../read-errors.js';
import { textIn } from '../records.js';
import type { AdminApi } from './admin-api.js';
import type { KeycloakClient } from './client.js';
import { isInternalId, isObject } from './json.js';
import type { KeycloakNames } from './names.js';
import { readList } from './pages.js';

/** The prefix of the user names of service accounts. Their tokens are tokens of clients and not of persons. */
export const SERVICE_ACCOUNT = 'service-account-';

/** `none`: the client has no account, so Keycloak gives it no token. `unseen`: the access token may not see users. */
export type AccountState = { readonly id: string; readonly enabled: boolean } | 'none' | 'unseen';

/**
 * The users behind the clients' own logins, found by user name. Never read `clients/ID/service-account-user` for them:
 * Keycloak creates a missing account in answer to it, even for a token that may only view, and so would restore what
 * somebody deleted. Keycloak leaves out of its lists, with status 200, what the token may not see. So no account counts as
 * deleted unless the reading client's own account is visible.
 */
export interface ServiceAccounts {
  /** The accounts of all clients, in a few requests. */
  readAll(signal: AbortSignal): Promise<(client: KeycloakClient) => AccountState>;
  read(client: KeycloakClient, signal: AbortSignal): Promise<AccountState>;
  areSeen(signal: AbortSignal): Promise<boolean>;
}

interface User {
  readonly id: string;
  readonly username: string;
  readonly enabled: boolean;
}

/** As many as there may be clients. */
const LIMIT = 200_000;

export function createServiceAccounts(
  api: AdminApi,
  names: KeycloakNames,
  pageSize: number,
): ServiceAccounts {
  const place = api.placeOf('service accounts');

  const parse = (value: unknown): User => {
    const id = textIn(value, 'id');
    const username = textIn(value, 'username');
    if (!isObject(value) || id === undefined || username === undefined || !isInternalId(id))
      throw wrongShape(place, 'a user has no id or no name');
    if (typeof value.enabled !== 'boolean') throw wrongShape(place, 'a user is shown only in part');
    return { id, username, enabled: value.enabled };
  };
  const pagesOf = (query: Record<string, string>, signal: AbortSignal) =>
    readList(api, { segments: ['users'], query, place, pageSize, limit: LIMIT, parse }, signal);
  const byName = async (username: string, signal: AbortSignal): Promise<User | undefined> => {
    const query = { username, exact: true, briefRepresentation: true };
    const answer = await api.peek(['users'], query, signal);
    if (answer === undefined) return undefined;
    if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
    return answer.map(parse).find((user) => user.username === username);
  };
  const areSeen = async (signal: AbortSignal) =>
    (await byName(accountName(api.clientId), signal)) !== undefined;
  /**
   * The IDs of people with such a user name, which anybody may take once an account is deleted. This search leaves service
   * accounts out.
   */
  const readPeople = async (signal: AbortSignal): Promise<ReadonlySet<string>> =>
    new Set((await pagesOf({ search: SERVICE_ACCOUNT }, signal)).map(({ id }) => id));

  return {
    areSeen,
    async readAll(signal) {
      if (!(await areSeen(signal))) {
        names.knowsServiceAccounts = true;
        return ({ hasServiceAccount }) => (hasServiceAccount ? 'unseen' : 'none');
      }
      const users = await pagesOf({ username: SERVICE_ACCOUNT }, signal);
      const people = await readPeople(signal);
      const accounts = new Map(
        users.filter(({ id }) => !people.has(id)).map((user) => [user.username, user]),
      );
      if (!accounts.has(accountName(api.clientId)))
        throw wrongShape(place, 'the account of scopemesh is not in the list');
      names.knowsServiceAccounts = true;
      return (client) => {
        const account = client.hasServiceAccount ? accounts.get(accountName(client.clientId)) : undefined;
        if (account !== undefined) names.serviceAccounts.set(account.id, client.internalId);
        return account ?? 'none';
      };
    },
    async read(client, signal) {
      if (!client.hasServiceAccount) return 'none';
      const user = await byName(accountName(client.clientId), signal);
      if (user === undefined) return (await areSeen(signal)) ? 'none' : 'unseen';
      const isKnown = names.serviceAccounts.get(user.id) === client.internalId;
      if (!isKnown && (await readPeople(signal)).has(user.id)) return 'none';
      names.serviceAccounts.set(user.id, client.internalId);
      return user;
    },
  };
}

/** Two clients whose IDs differ only in case cannot both have an account: the user name of the second is taken. */
function accountName(clientId: string): string {
  return SERVICE_ACCOUNT + clientId.toLowerCase();
}
