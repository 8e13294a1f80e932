import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { incomplete, wrongShape } from '../read-errors.js';
import { textIn } from '../records.js';
import type { AdminApi } from './admin-api.js';
import { readChangingList, readList } from './admin-lists.js';
import type { KeycloakClient } from './client.js';
import { isInternalId } from './json.js';
import type { KeycloakNames } from './names.js';

/** The prefix of the user names of service accounts. Their tokens are tokens of clients and not of persons. */
export const SERVICE_ACCOUNT = 'service-account-';

/** `none`: the client has no account, so Keycloak gives it no token. `unseen`: the access token may not see users. */
export type AccountState = { readonly id: string; readonly enabled: boolean } | 'none' | 'unseen';

interface User {
  readonly id: string;
  readonly username: string;
  readonly enabled: boolean;
}

/** As many as there may be clients. */
const LIMIT = 200_000;
/** Few clients lack the account that they should have. */
const MAX_ASKED = 20;

/**
 * The users behind the clients' own logins, found by user name. Never read `clients/ID/service-account-user` for them:
 * Keycloak creates a missing account in answer to it, even for a token that may only view, and so would restore what
 * somebody deleted. Keycloak leaves out of its lists, with status 200, what the token may not see. So no account counts as
 * deleted unless the reading client's own account is visible.
 */
export function createServiceAccounts(api: AdminApi, names: KeycloakNames, pageSize: number) {
  const place = api.placeOf('service accounts');

  /** Fields that are missing are undefined, so that one such record affects no other user. */
  const parse = (value: unknown): Partial<User> & { readonly id: string } => {
    const id = textIn(value, 'id');
    const enabled = isRecord(value) && typeof value.enabled === 'boolean' ? value.enabled : undefined;
    return {
      id: id !== undefined && isInternalId(id) ? id : `? ${JSON.stringify(value)}`,
      ...definedFields({ username: textIn(value, 'username'), enabled }),
    };
  };
  const requireUser = (user: ReturnType<typeof parse>): User => {
    if (!isUser(user)) throw wrongShape(place, 'a user is shown only in part');
    return user;
  };
  const listOf = (query: Record<string, string>) => ({
    segments: ['users'],
    query,
    place,
    pageSize,
    limit: LIMIT,
    parse,
  });
  const byName = async (username: string, signal: AbortSignal): Promise<User | undefined> => {
    const query = { username, exact: true, briefRepresentation: true };
    const answer = await api.peek(['users'], query, signal);
    if (answer === undefined) return undefined;
    if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
    const user = answer.map(parse).find((each) => each.username === username);
    return user === undefined ? undefined : requireUser(user);
  };
  const areSeen = async (signal: AbortSignal) =>
    (await byName(accountName(api.clientId), signal)) !== undefined;
  /**
   * The IDs of people with such a user name, which anybody may take once an account is deleted. This search leaves service
   * accounts out.
   */
  const readPeople = async (signal: AbortSignal): Promise<ReadonlySet<string>> =>
    new Set((await readList(api, listOf({ search: SERVICE_ACCOUNT }), signal)).map(({ id }) => id));

  return {
    areSeen,
    /**
     * The accounts of these clients, in a few requests. `unknown` if the list may lack the account. Throws IncompleteRead if
     * the list lacks an existing account.
     */
    async readAll(
      clients: readonly KeycloakClient[],
      signal: AbortSignal,
    ): Promise<(client: KeycloakClient) => AccountState | 'unknown'> {
      if (!(await areSeen(signal))) {
        names.knowsServiceAccounts = true;
        return ({ hasServiceAccount }) => (hasServiceAccount ? 'unseen' : 'none');
      }
      const { entries, isWhole } = await readChangingList(api, listOf({ username: SERVICE_ACCOUNT }), signal);
      const people = await readPeople(signal);
      const users = entries.filter(({ id }) => !people.has(id));
      const accounts = new Map(users.filter(isUser).map((user) => [user.username, user]));
      const invalid = users.filter((user) => !isUser(user));
      if (accounts.size === 0 && invalid.length > 0) throw wrongShape(place, 'users are shown only in part');
      if (!accounts.has(accountName(api.clientId)))
        throw wrongShape(place, 'the account of scopemesh is not in the list');
      const lacking = clients.filter(
        ({ clientId, hasServiceAccount }) => hasServiceAccount && !accounts.has(accountName(clientId)),
      );
      const invalidNames = new Set(invalid.map(({ username }) => username));
      const unknown = new Set(
        // An account without a name may belong to any client.
        lacking.filter(
          ({ clientId }) => invalidNames.has(undefined) || invalidNames.has(accountName(clientId)),
        ),
      );
      const absent = lacking.filter((client) => !unknown.has(client));
      for (const { clientId } of absent.slice(0, MAX_ASKED)) {
        const account = await byName(accountName(clientId), signal);
        if (account === undefined || (await readPeople(signal)).has(account.id)) continue;
        if (isWhole) throw incomplete(place, 'an existing account is missing from the list');
        accounts.set(account.username, account);
      }
      if (!isWhole) for (const client of absent.slice(MAX_ASKED)) unknown.add(client);
      names.knowsServiceAccounts = true;
      return (client) => {
        if (unknown.has(client)) return 'unknown';
        const account = client.hasServiceAccount ? accounts.get(accountName(client.clientId)) : undefined;
        if (account !== undefined) names.serviceAccounts.set(account.id, client.internalId);
        return account ?? 'none';
      };
    },
    async read(client: KeycloakClient, signal: AbortSignal): Promise<AccountState> {
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

function isUser(user: Partial<User>): user is User {
  return user.id?.startsWith('?') === false && user.username !== undefined && user.enabled !== undefined;
}

/** Two clients whose IDs differ only in case cannot both have an account: the user name of the second is taken. */
function accountName(clientId: string): string {
  return SERVICE_ACCOUNT + clientId.toLowerCase();
}
