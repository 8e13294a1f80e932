import { wrongShape } from '../records.js';
import type { AdminApi } from './admin-api.js';
import type { KeycloakClient } from './client.js';
import { isInternalId, isObject, textAt } from './json.js';
import type { KeycloakNames } from './names.js';
import { readPages } from './pages.js';

/** How Keycloak names the users of service accounts. Their tokens are clients' tokens, and no person's. */
export const SERVICE_ACCOUNT = 'service-account-';

/** `none` where the client has no account, so that Keycloak gives it no token; `unseen` where the token may not see users. */
export type AccountState = { readonly id: string; readonly enabled: boolean } | 'none' | 'unseen';

/**
 * The users behind the clients' own logins, by their names. They are never asked for by client: Keycloak answers
 * `clients/ID/service-account-user` by making the account where there is none, also for whoever may only view, and so
 * would give back what somebody took away by deleting it. It leaves out of its lists, with status 200, what the token
 * may not see; so none is taken for gone unless the reading client's own account is seen.
 */
export interface ServiceAccounts {
  /** Those of all clients, by a few requests. */
  readAll(signal: AbortSignal): Promise<(client: KeycloakClient) => AccountState>;
  read(client: KeycloakClient, signal: AbortSignal): Promise<AccountState>;
  areSeen(signal: AbortSignal): Promise<boolean>;
}

interface User {
  readonly id: string;
  readonly username: string;
  readonly enabled: boolean;
}

/** As many as there are clients. */
const LIMIT = 200_000;

export function createServiceAccounts(
  api: AdminApi,
  names: KeycloakNames,
  pageSize: number,
): ServiceAccounts {
  const place = `provider ${api.provider}, realm ${api.issuer.realm}, service accounts`;

  const parse = (value: unknown): User => {
    const id = isObject(value) ? textAt(value, 'id') : undefined;
    const username = isObject(value) ? textAt(value, 'username') : undefined;
    if (!isObject(value) || id === undefined || username === undefined || !isInternalId(id))
      throw wrongShape(place, 'a user has no id or no name');
    if (typeof value.enabled !== 'boolean') throw wrongShape(place, 'a user is shown in part');
    return { id, username, enabled: value.enabled };
  };
  const list = (answer: unknown): readonly User[] => {
    if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
    return answer.map(parse);
  };
  const pagesOf = (query: Record<string, string>, signal: AbortSignal) =>
    readPages({
      place,
      pageSize,
      limit: LIMIT,
      read: async (first, max) =>
        list(await api.get(['users'], { ...query, first, max, briefRepresentation: true }, signal)),
      idOf: ({ id }) => id,
    });
  const byName = async (username: string, signal: AbortSignal): Promise<User | undefined> => {
    const query = { username, exact: true, briefRepresentation: true };
    const answer = await api.peek(['users'], query, signal);
    return answer === undefined ? undefined : list(answer).find((user) => user.username === username);
  };
  const areSeen = async (signal: AbortSignal) =>
    (await byName(accountName(api.clientId), signal)) !== undefined;
  /** Ids of people who bear such a name, as anybody may once an account is deleted: this search leaves accounts out. */
  const readPeople = async (signal: AbortSignal): Promise<ReadonlySet<string>> =>
    new Set((await pagesOf({ search: SERVICE_ACCOUNT }, signal)).map(({ id }) => id));

  return {
    areSeen,
    async readAll(signal) {
      if (!(await areSeen(signal))) {
        names.learnAllServiceAccounts();
        return ({ hasServiceAccount }) => (hasServiceAccount ? 'unseen' : 'none');
      }
      const users = await pagesOf({ username: SERVICE_ACCOUNT }, signal);
      const people = await readPeople(signal);
      const accounts = new Map(
        users.filter(({ id }) => !people.has(id)).map((user) => [user.username, user]),
      );
      if (!accounts.has(accountName(api.clientId)))
        throw wrongShape(place, 'the account that reads is not in the list');
      names.learnAllServiceAccounts();
      return (client) => {
        const account = client.hasServiceAccount ? accounts.get(accountName(client.clientId)) : undefined;
        if (account !== undefined) names.learnServiceAccount(account.id, client.internalId);
        return account ?? 'none';
      };
    },
    async read(client, signal) {
      if (!client.hasServiceAccount) return 'none';
      const user = await byName(accountName(client.clientId), signal);
      if (user === undefined) return (await areSeen(signal)) ? 'none' : 'unseen';
      const isKnown = names.serviceAccountClient(user.id) === client.internalId;
      if (!isKnown && (await readPeople(signal)).has(user.id)) return 'none';
      names.learnServiceAccount(user.id, client.internalId);
      return user;
    },
  };
}

/** No two clients whose ids differ in case alone can have accounts: the second finds the name taken. */
function accountName(clientId: string): string {
  return SERVICE_ACCOUNT + clientId.toLowerCase();
}
