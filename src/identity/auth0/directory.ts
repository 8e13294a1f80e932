import type { Clock } from '../../clock.js';
import { ClientUnreadable, IncompleteRead } from '../../errors.js';
import type { Logger } from '../../observe.js';
import type { AccessCheck, Directory, DirectorySnapshot, UnreadableClient } from '../directory.js';
import type { HttpAnswer } from '../http-client.js';
import {
  eachAlone,
  readable,
  refuseIfAllSpoilt,
  spoilt,
  textIn,
  toUnreadable,
  wrongShape,
} from '../records.js';
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

const ANY_CLIENT = eachAlone(CLIENT, 'client_id');
const idOf = ({ id }: { readonly id: string }) => id;
const CLIENTS = { segments: ['clients'], field: 'clients', entry: ANY_CLIENT, query: CLIENT_FIELDS, idOf };
const GRANTS = {
  segments: ['client-grants'],
  field: 'client_grants',
  entry: eachAlone(CLIENT_GRANT, 'id'),
  idOf,
};
const APIS = {
  segments: ['resource-servers'],
  field: 'resource_servers',
  entry: eachAlone(RESOURCE_SERVER, 'id'),
  idOf,
};

/** What the tenant offers, and the identifiers of APIs under `apis` whose record cannot be parsed. */
interface Apis {
  readonly found: readonly ResourceServer[];
  readonly spoilt: ReadonlyMap<string, string>;
}

/** What clients were granted, and whose grants cannot be parsed. */
interface Grants {
  readonly found: readonly ClientGrant[];
  readonly spoilt: ReadonlyMap<string, string>;
}

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
  let apisRead: { readonly read: Apis; readonly at: number } | undefined;
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

  const readApis = async (signal: AbortSignal): Promise<Apis> => {
    const records = await readByNumber(api, APIS, signal);
    // Auth0's own API is in every tenant.
    if (records.length === 0) throw incomplete('no API is in the list, so that the list is not whole');
    refuseIfAllSpoilt(records, `${place}, resource servers`);
    const found = readable(records);
    const bad = new Map<string, string>();
    for (const { fault, raw } of spoilt(records)) {
      const identifier = textIn(raw, 'identifier');
      if (identifier === undefined) throw wrongShape(`${place}, resource servers`, fault);
      if (apis.includes(identifier)) bad.set(identifier, `its API ${identifier}: ${fault}`);
    }
    const present = new Set([...found.map(({ identifier }) => identifier), ...bad.keys()]);
    for (const identifier of apis)
      if (present.has(identifier)) told.delete(identifier);
      else tellMissing(identifier);
    return { found, spoilt: bad };
  };
  const counted = (found: readonly ResourceServer[]) =>
    new Map(
      found.filter(({ identifier }) => apis.includes(identifier)).map((each) => [each.identifier, each]),
    );
  const readGrants = async (query: Record<string, string>, signal: AbortSignal): Promise<Grants> => {
    const records = await readByCheckpoint(api, { ...GRANTS, query }, signal);
    const bad = new Map<string, string>();
    for (const { fault, raw } of spoilt(records)) {
      const owner = textIn(raw, 'client_id');
      // It may be anybody's, and so anybody may have lost it.
      if (owner === undefined) throw wrongShape(`${place}, client grants`, fault);
      bad.set(owner, `a grant of it: ${fault}`);
    }
    return { found: readable(records), spoilt: bad };
  };
  /** Why it cannot be told what a client may obtain. */
  const faultIn = (id: string, own: readonly ClientGrant[], grants: Grants, offered: Apis) =>
    grants.spoilt.get(id) ??
    own.map(({ audience }) => offered.spoilt.get(audience)).find((fault) => fault !== undefined);

  return {
    provider,
    async readAll(signal): Promise<DirectorySnapshot> {
      const before = api.requests;
      const records = await readByNumber(api, CLIENTS, signal);
      refuseIfAllSpoilt(records, `${place}, clients`);
      if (!records.some(({ id }) => id === clientId))
        throw incomplete('the application that reads is not in the list, so that the list is not whole');
      const grants = await readGrants({}, signal);
      const offered = await readApis(signal);
      names.learn(grants.found, offered.found);
      const byClient = groupByClient(grants.found);
      apisRead = { read: offered, at: clock.now() };
      const unreadable: UnreadableClient[] = spoilt(records).map(({ fault, raw }) =>
        toUnreadable(textIn(raw, 'client_id'), fault),
      );
      const clients = readable(records)
        .filter((client) => client.global !== true)
        .flatMap((client) => {
          const own = byClient.get(client.client_id) ?? [];
          const fault = faultIn(client.client_id, own, grants, offered);
          if (fault === undefined) return [toOAuthClient(provider, client, own, counted(offered.found))];
          unreadable.push({ clientId: client.client_id, why: fault });
          return [];
        });
      return { clients, unreadable, requests: api.requests - before };
    },
    async read(by, value, signal) {
      if (by !== 'clientId') throw incomplete('Auth0 knows clients by their client id alone');
      if (!isClientId(value)) return undefined;
      const request = { segments: ['clients', value], shape: ANY_CLIENT, query: CLIENT_FIELDS };
      const record = await api.find(request, 'inexistent_client', signal);
      if (record === undefined) return undefined;
      if (record.id !== value) throw incomplete('a read of one client found another');
      if (record.fault !== undefined) throw new ClientUnreadable(place, value, record.fault);
      if (record.value.global === true) return undefined;
      const grants = await readGrants({ client_id: value }, signal);
      if (apisRead === undefined || clock.now() - apisRead.at >= APIS_AGE_MS)
        apisRead = { read: await readApis(signal), at: clock.now() };
      const { read } = apisRead;
      const fault = faultIn(value, grants.found, grants, read);
      if (fault !== undefined) throw new ClientUnreadable(place, value, fault);
      return toOAuthClient(provider, record.value, grants.found, counted(read.found));
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
