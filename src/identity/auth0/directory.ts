import { z } from 'zod';
import { ClientUnreadable } from '../../errors.js';
import type { OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';
import { groupBy } from '../../model/group-by.js';
import type { Runtime } from '../../runtime.js';
import type { AccessCheck, Directory, DirectorySnapshot, UnreadableClient } from '../directory.js';
import type { HttpAnswer } from '../http-client.js';
import { KnownEntries } from '../known-entries.js';
import { incomplete, wrongShape } from '../read-errors.js';
import {
  contentOf,
  invalidRecords,
  type ListRecord,
  recordOf,
  requireValidRecord,
  textIn,
  toUnreadable,
  validRecords,
} from '../records.js';
import { createBlockedUsers } from './blocked-users.js';
import {
  type Auth0Client,
  CLIENT,
  CLIENT_FIELDS,
  CLIENT_GRANT,
  type ClientGrant,
  RESOURCE_SERVER,
  type ResourceServer,
  toOAuthClient,
} from './client.js';
import { requestEvents } from './event-stream.js';
import type { ManagementApi } from './management-api.js';
import { readMembers } from './members.js';
import type { Auth0Names } from './names.js';
import { readByCheckpoint, readByNumber } from './pages.js';

export interface Auth0DirectoryOptions extends Pick<Runtime, 'clock' | 'logger'> {
  readonly api: ManagementApi;
  readonly names: Auth0Names;
  /** The application of scopemesh. */
  readonly clientId: string;
  /** Identifiers of the APIs whose scopes count. */
  readonly apis: readonly string[];
  /** Whether the tenant's event stream is read too. */
  readonly eventStream: boolean;
}

/** APIs change seldom, and each change has a log entry that leads to a complete read. */
const APIS_AGE_MS = 60_000;

const ANY_CLIENT = recordOf(CLIENT, 'client_id');
const CLIENTS = { segments: ['clients'], field: 'clients', entry: ANY_CLIENT, query: CLIENT_FIELDS };
const GRANTS = { segments: ['client-grants'], field: 'client_grants', entry: recordOf(CLIENT_GRANT, 'id') };
const APIS = {
  segments: ['resource-servers'],
  field: 'resource_servers',
  entry: recordOf(RESOURCE_SERVER, 'id'),
};

/** Valid records, and the faults of invalid ones by their owner: the client of a grant, the identifier of an API. */
interface Read<T> {
  readonly found: readonly T[];
  readonly faults: ReadonlyMap<string, string>;
  /** Why a record without an owner cannot be parsed. */
  readonly unowned?: string;
}

interface OfferedApis extends Read<ResourceServer> {
  /** Those whose scopes count, by identifier. */
  readonly counted: ReadonlyMap<string, ResourceServer>;
}

/** The permissions that scopemesh needs, by the names under which a tenant grants them. */
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
  { permission: 'read:logs', part: 'logs', neededFor: 'changes that a log stream did not deliver' },
  { permission: 'read:roles', part: 'roles', neededFor: 'the members of roles', forGroupsOnly: true },
  {
    permission: 'read:users',
    part: 'users',
    neededFor: 'whether members are blocked',
    forGroupsOnly: true,
  },
] as const;
const EVENTS = { permission: 'read:events', neededFor: 'the event stream with changes of users and groups' };

/** The applications of a tenant and what they may obtain, read by the Management API. */
export function createAuth0Directory(options: Auth0DirectoryOptions): Directory {
  const { api, names, clientId, apis, clock, logger } = options;
  const { provider } = api;
  const place = `provider ${provider}`;
  let cachedApis: { readonly read: OfferedApis; readonly at: number } | undefined;

  const known = new KnownEntries();
  const blockedUsers = createBlockedUsers(api);
  const warned = new Set<string>();
  const warnMissing = (identifier: string) => {
    if (warned.has(identifier)) return;
    warned.add(identifier);
    logger.warn(
      { provider, api: identifier },
      'the tenant has no API with an identifier under apis: no client gets its scopes',
    );
  };

  const readApis = async (signal: AbortSignal): Promise<OfferedApis> => {
    const apisPlace = `${place}, resource servers`;
    const records = await readByNumber(api, APIS, signal);
    requireValidRecord(records, apisPlace);
    const found = validRecords(records);
    // Every tenant has Auth0's own API (auth0.com/docs/get-started/apis/api-settings: system API).
    if (!records.some((record) => identifierOf(record) === api.tenant.api))
      throw incomplete(apisPlace, "Auth0's own API is not in the list, so the list is not complete", false);
    const listed = records
      .flatMap((record) => identifierOf(record) ?? [])
      .filter((each) => apis.includes(each));
    // An API can be asked for by its identifier (auth0.com/docs/api/management/v2/resource-servers).
    const isListed = async (identifier: string) =>
      (await api.find({ segments: ['resource-servers', identifier], shape: z.unknown() }, signal)) !==
      undefined;
    await known.require('APIs', listed, isListed, apisPlace);
    const faults = new Map<string, string>();
    for (const { fault, raw } of invalidRecords(records)) {
      const identifier = textIn(raw, 'identifier');
      if (identifier === undefined) throw wrongShape(apisPlace, fault);
      if (apis.includes(identifier)) faults.set(identifier, `its API ${identifier}: ${fault}`);
    }
    const present = new Set([...found.map(({ identifier }) => identifier), ...faults.keys()]);
    for (const identifier of apis)
      if (present.has(identifier)) warned.delete(identifier);
      else warnMissing(identifier);
    const counted = found.filter(({ identifier }) => apis.includes(identifier));
    return { found, faults, counted: new Map(counted.map((each) => [each.identifier, each])) };
  };
  const readGrants = async (
    query: { readonly client_id?: string },
    signal: AbortSignal,
  ): Promise<Read<ClientGrant>> => {
    const records = await readByCheckpoint(api, { ...GRANTS, query }, signal);
    const faults = new Map<string, string>();
    let unowned: string | undefined;
    for (const { fault, raw } of invalidRecords(records)) {
      // A list of one client has its grants alone.
      const owner = textIn(raw, 'client_id') ?? query.client_id;
      if (owner === undefined) unowned = `a grant that does not name its client: ${fault}`;
      else faults.set(owner, `one of its grants: ${fault}`);
    }
    const found: ClientGrant[] = [];
    for (const grant of validRecords(records)) {
      const { client_id: owner } = grant;
      const counts = owner !== undefined && apis.includes(grant.audience);
      const usable = counts ? await hasOrganization(api, grant, signal) : true;
      if (typeof usable === 'string' && owner !== undefined)
        faults.set(owner, `one of its grants: ${usable}`);
      else if (usable) found.push(grant);
    }
    return { found, faults, ...definedFields({ unowned }) };
  };
  /**
   * Throws unless the grant is in the list by which scopemesh calls the Management API. A client gets a token for itself
   * only with a client grant (auth0.com/docs/get-started/apis/api-access-policies-for-applications), so without this grant
   * the list is not complete.
   */
  const requireOwnGrant = ({ found, faults, unowned }: Read<ClientGrant>) => {
    const isOwn = (grant: ClientGrant) => grant.client_id === clientId && grant.audience === api.tenant.api;
    if (found.some(isOwn) || faults.has(clientId) || unowned !== undefined) return;
    throw incomplete(`${place}, client grants`, 'the grant of scopemesh itself is not in the list');
  };
  /** The client with what it may obtain, or why that is unknown. */
  const complete = (
    client: Auth0Client,
    own: readonly ClientGrant[],
    grants: Read<ClientGrant>,
    offered: OfferedApis,
  ): OAuthClient | string => {
    const fault =
      grants.faults.get(client.client_id) ??
      own.map(({ audience }) => offered.faults.get(audience)).find((each) => each !== undefined);
    return fault ?? toOAuthClient(provider, client, own, offered.counted);
  };

  return {
    provider,
    async readAll(signal): Promise<DirectorySnapshot> {
      const before = api.requests();
      const records = await readByNumber(api, CLIENTS, signal);
      requireValidRecord(records, `${place}, clients`);
      if (!records.some(({ id }) => id === clientId)) {
        const why = 'the application of scopemesh is not in the list, so the list is not complete';
        throw incomplete(`${place}, clients`, why);
      }
      const grants = await readGrants({}, signal);
      requireOwnGrant(grants);
      const offered = await readApis(signal);
      names.add(grants.found, offered.found);
      const byClient = groupBy(grants.found, ({ client_id }) => client_id);
      cachedApis = { read: offered, at: clock.now() };
      const unreadable: UnreadableClient[] = invalidRecords(records).map(({ fault, raw }) =>
        toUnreadable(textIn(raw, 'client_id'), fault),
      );
      const clients = validRecords(records)
        .filter((client) => client.global !== true)
        .flatMap((client) => {
          const found = complete(client, byClient.get(client.client_id) ?? [], grants, offered);
          if (typeof found !== 'string') return [found];
          unreadable.push({ clientId: client.client_id, why: found });
          return [];
        });
      const unowned = definedFields({ unownedGrant: grants.unowned });
      return { clients, unreadable, ...unowned, requests: api.requests() - before };
    },
    async read(by, value, signal) {
      if (by !== 'clientId') throw incomplete(place, 'Auth0 knows a client only by its client ID', false);
      if (!isClientId(value)) return undefined;
      const request = { segments: ['clients', value], shape: ANY_CLIENT, query: CLIENT_FIELDS };
      const record = await api.find(request, signal, 'inexistent_client');
      if (record === undefined) return undefined;
      if (record.id !== value) throw incomplete(place, 'a read of one client returned another', false);
      if (record.fault !== undefined) throw new ClientUnreadable(place, value, record.fault);
      if (record.value.global === true) return undefined;
      const grants = await readGrants({ client_id: value }, signal);
      if (value === clientId) requireOwnGrant(grants);
      else if (grants.found.length + grants.faults.size === 0)
        requireOwnGrant(await readGrants({ client_id: clientId }, signal));
      if (cachedApis === undefined || clock.now() - cachedApis.at >= APIS_AGE_MS)
        cachedApis = { read: await readApis(signal), at: clock.now() };
      const found = complete(record.value, grants.found, grants, cachedApis.read);
      if (typeof found === 'string') throw new ClientUnreadable(place, value, found);
      return found;
    },
    readMembers: (groups, signal, admitted) => readMembers(api, blockedUsers, groups, signal, admitted),
    async checkAccess(signal): Promise<readonly AccessCheck[]> {
      const checks: AccessCheck[] = [];
      const add = (permission: Omit<AccessCheck, 'isGranted'>, part: string, answer: HttpAnswer) => {
        if (answer.status !== 200 && answer.status !== 403) throw api.refusal(answer, [part]);
        checks.push({ ...permission, isGranted: answer.status === 200 });
      };
      for (const { part, ...permission } of PERMISSIONS)
        add(permission, part, await api.send([part], { per_page: 1 }, {}, signal));
      if (options.eventStream) add(EVENTS, 'events', await requestEvents(api, undefined, signal));
      return checks;
    },
    close: () => api.close(),
  };
}

function identifierOf(record: ListRecord<ResourceServer>): string | undefined {
  return textIn(contentOf(record), 'identifier');
}

/** IDs that a path can carry. A client with a metadata document has a URL, for which Auth0 makes an ID of its own. */
function isClientId(value: string): boolean {
  return (
    value.trim() !== '' && value !== '.' && value !== '..' && value.length <= 255 && value.isWellFormed()
  );
}

const ORGANIZATIONS = z.looseObject({ organizations: z.array(z.unknown()) });
const READ_ORGANIZATIONS = 'read:organization_client_grants';

/**
 * Whether the client can get a token by the grant, as far as organizations decide it. A grant may require one
 * (auth0.com/docs/manage-users/organizations/organizations-for-m2m-applications/configure-your-application-for-m2m-access).
 * Then it opens nothing until any organization may be used, or one is associated with the grant
 * (auth0.com/docs/api/management/v2/client-grants/get-client-grant-organizations). A text says why that is unknown.
 */
async function hasOrganization(
  api: ManagementApi,
  { id, organization_usage: usage, allow_any_organization: isAny }: ClientGrant,
  signal: AbortSignal,
): Promise<boolean | string> {
  if (usage !== 'require' || isAny === true) return true;
  const segments = ['client-grants', id, 'organizations'];
  const answer = await api.send(segments, { take: 1 }, {}, signal);
  if (answer.status === 403)
    return `it requires an organization, and scopemesh may not read which ones it has; grant ${READ_ORGANIZATIONS}`;
  return api.parse(ORGANIZATIONS, answer, segments).organizations.length > 0;
}
