import type { Clock } from '../../clock.js';
import { IncompleteRead } from '../../errors.js';
import type { Logger } from '../../observe.js';
import type { AccessCheck, Directory, DirectorySnapshot } from '../directory.js';
import type { HttpAnswer } from '../http-client.js';
import {
  CLIENT,
  CLIENT_FIELDS,
  CLIENT_GRANT,
  type ClientGrant,
  RESOURCE_SERVER,
  type ResourceServer,
  toOAuthClient,
} from './client.js';
import { askEvents } from './event-stream.js';
import type { ManagementApi } from './management-api.js';
import { readMembers } from './members.js';
import type { Auth0Names } from './names.js';
import { readByCheckpoint, readByNumber } from './pages.js';

export interface Auth0DirectoryOptions {
  readonly api: ManagementApi;
  readonly names: Auth0Names;
  /** The application as which the tenant is read. */
  readonly clientId: string;
  /** Identifiers of the APIs whose scopes count. */
  readonly apis: readonly string[];
  /** Whether the tenant's event stream is read too. */
  readonly eventStream: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** APIs change seldom, and each change has a log entry that asks for a complete read. */
const APIS_AGE_MS = 60_000;

const CLIENTS = { segments: ['clients'], field: 'clients', entry: CLIENT, query: CLIENT_FIELDS };
const GRANTS = { segments: ['client-grants'], field: 'client_grants', entry: CLIENT_GRANT };
const APIS = { segments: ['resource-servers'], field: 'resource_servers', entry: RESOURCE_SERVER };

/** What scopemesh asks for, under the names by which a tenant grants it. */
const PERMISSIONS = [
  { permission: 'read:clients', part: 'clients', neededFor: 'the applications' },
  {
    permission: 'read:client_grants',
    part: 'client-grants',
    neededFor: 'the scopes that they may obtain',
  },
  {
    permission: 'read:resource_servers',
    part: 'resource-servers',
    neededFor: 'the APIs and their lifetimes',
  },
  { permission: 'read:logs', part: 'logs', neededFor: 'what changed, when a log stream lost it' },
  { permission: 'read:roles', part: 'roles', neededFor: 'the members of roles', forGroupsOnly: true },
  {
    permission: 'read:users',
    part: 'users',
    neededFor: 'whether members are blocked',
    forGroupsOnly: true,
  },
] as const;
const EVENTS = { permission: 'read:events', neededFor: 'the event stream, which tells of users and groups' };

/** The applications of a tenant and what they may obtain, by the Management API. */
export function createAuth0Directory(options: Auth0DirectoryOptions): Directory {
  const { api, names, clientId, apis, clock, logger } = options;
  const { provider } = api;
  const place = `provider ${provider}`;
  let apisRead: { readonly found: readonly ResourceServer[]; readonly at: number } | undefined;
  const incomplete = (what: string) =>
    new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: ${what}`, { retriable: false });

  const told = new Set<string>();
  const tellMissing = (identifier: string) => {
    if (told.has(identifier)) return;
    told.add(identifier);
    logger.warn(
      { provider, api: identifier },
      'the tenant has no API of an identifier under apis: nobody holds its scopes',
    );
  };

  const readApis = async (signal: AbortSignal): Promise<readonly ResourceServer[]> => {
    const found = await readByNumber(api, { ...APIS, idOf: ({ id }) => id }, signal);
    // Auth0's own API is in every tenant.
    if (found.length === 0) throw incomplete('no API is in the list, so that the list is not whole');
    const present = new Set(found.map(({ identifier }) => identifier));
    for (const identifier of apis)
      if (present.has(identifier)) told.delete(identifier);
      else tellMissing(identifier);
    return found;
  };
  const counted = (found: readonly ResourceServer[]) =>
    new Map(
      found.filter(({ identifier }) => apis.includes(identifier)).map((each) => [each.identifier, each]),
    );
  const readGrants = (query: Record<string, string>, signal: AbortSignal): Promise<readonly ClientGrant[]> =>
    readByCheckpoint(api, { ...GRANTS, query, idOf: ({ id }) => id }, signal);

  return {
    provider,
    async readAll(signal): Promise<DirectorySnapshot> {
      const before = api.requests;
      const clients = await readByNumber(api, { ...CLIENTS, idOf: (client) => client.client_id }, signal);
      if (!clients.some((client) => client.client_id === clientId))
        throw incomplete('the application that reads is not in the list, so that the list is not whole');
      const grants = await readGrants({}, signal);
      const found = await readApis(signal);
      names.learn(grants, found);
      const byClient = groupByClient(grants);
      apisRead = { found, at: clock.now() };
      return {
        clients: clients
          .filter((client) => client.global !== true)
          .map((client) =>
            toOAuthClient(provider, client, byClient.get(client.client_id) ?? [], counted(found)),
          ),
        unreadable: [],
        requests: api.requests - before,
      };
    },
    async read(by, value, signal) {
      if (by !== 'clientId') throw incomplete('Auth0 knows clients by their client id alone');
      if (!isClientId(value)) return undefined;
      const request = { segments: ['clients', value], shape: CLIENT, query: CLIENT_FIELDS };
      const client = await api.find(request, 'inexistent_client', signal);
      if (client === undefined || client.global === true) return undefined;
      if (client.client_id !== value) throw incomplete('a read of one client found another');
      const grants = await readGrants({ client_id: value }, signal);
      if (apisRead === undefined || clock.now() - apisRead.at >= APIS_AGE_MS)
        apisRead = { found: await readApis(signal), at: clock.now() };
      return toOAuthClient(provider, client, grants, counted(apisRead.found));
    },
    readMembers: (groups, signal) => readMembers(api, groups, signal),
    async checkAccess(signal): Promise<readonly AccessCheck[]> {
      const checks: AccessCheck[] = [];
      const check = async (permission: Omit<AccessCheck, 'isGranted'>, part: string, answer: HttpAnswer) => {
        if (answer.status !== 200 && answer.status !== 403) throw api.refusal(answer, [part]);
        checks.push({ ...permission, isGranted: answer.status === 200 });
      };
      for (const { part, ...permission } of PERMISSIONS)
        await check(permission, part, await api.send([part], { per_page: 1 }, {}, signal));
      if (options.eventStream) await check(EVENTS, 'events', await askEvents(api, undefined, signal));
      return checks;
    },
    close: () => api.close(),
  };
}

/** Ids that a path can carry; a client by metadata document has a URL, which Auth0 turns into an id of its own. */
function isClientId(value: string): boolean {
  return (
    value.trim() !== '' && value !== '.' && value !== '..' && value.length <= 255 && value.isWellFormed()
  );
}

function groupByClient(grants: readonly ClientGrant[]): ReadonlyMap<string, readonly ClientGrant[]> {
  const found = new Map<string, ClientGrant[]>();
  for (const grant of grants) {
    if (grant.client_id === undefined) continue;
    found.set(grant.client_id, [...(found.get(grant.client_id) ?? []), grant]);
  }
  return found;
}
