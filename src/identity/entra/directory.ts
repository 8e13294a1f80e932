import { ClientUnreadable } from '../../errors.js';
import type { Grant, OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';
import type { Runtime } from '../../runtime.js';
import type { AccessCheck, Directory, DirectorySnapshot, UnreadableClient } from '../directory.js';
import { incomplete } from '../read-errors.js';
import {
  invalidRecords,
  type ListRecord,
  readForClient,
  recordOf,
  requireValidRecord,
  textIn,
  toUnreadable,
  validRecords,
} from '../records.js';
import {
  isUnknownRole,
  type PermissionGrant,
  type RoleAssignment,
  readAssignedTo,
  readAssignments,
  readPermissionGrants,
  toGrants,
  unreadableHolders,
} from './grants.js';
import type { GraphApi } from './graph-api.js';
import { ASSIGNMENTS, KnownGrants, PERMISSION_GRANTS } from './known-grants.js';
import { createTokenLifetimeReader, type ShortestLifetime } from './lifetimes.js';
import { readMembersOf } from './members.js';
import type { EntraNames } from './names.js';
import { createEntraObjects } from './objects.js';
import { PAGE_SIZE, readCollection } from './pages.js';
import {
  APPLICATION,
  APPLICATION_FIELDS,
  APPLICATION_OPTIONAL,
  type Application,
  type Blueprint,
  clientIdOf,
  isClient,
  PRINCIPAL_FIELDS,
  PRINCIPAL_OPTIONAL,
  SERVICE_PRINCIPAL,
  type ServicePrincipal,
  toOAuthClient,
} from './principal.js';
import { createPropertySelection } from './property-selection.js';
import { requireRegistrations } from './registrations.js';
import type { EntraResource, EntraResources } from './resources.js';
import { isGuid } from './tenant.js';

export interface EntraDirectoryOptions extends Pick<Runtime, 'clock' | 'logger'> {
  /** Shared with the poll; closed with the directory. */
  readonly api: GraphApi;
  readonly resources: EntraResources;
  readonly names: EntraNames;
}

const ANY_PRINCIPAL = recordOf(SERVICE_PRINCIPAL, 'id');
const ANY_APPLICATION = recordOf(APPLICATION, 'id');

/** For reads of one client: what its APIs offer, and token lifetimes, change seldom. */
const AGE_MS = 60_000;

/**
 * The service principals of a tenant as clients: everything that may get tokens there. Its registration may be in this
 * tenant or in another, or it may be a managed identity or an agent identity. Graph refuses what the token may not read; it
 * does not leave it out.
 */
export function createEntraDirectory(options: EntraDirectoryOptions): Directory {
  const { api, resources, names, clock } = options;
  const { provider, tenant } = api;
  const objects = createEntraObjects(options);
  const readLifetimes = createTokenLifetimeReader(options);
  const knownAssignments = new KnownGrants(api, ASSIGNMENTS);
  const knownPermissionGrants = new KnownGrants(api, PERMISSION_GRANTS);
  const place = api.placeOf('service principals');
  const log = { provider, logger: options.logger };
  const selections = {
    principals: createPropertySelection(log, 'service principals', PRINCIPAL_FIELDS, PRINCIPAL_OPTIONAL),
    applications: createPropertySelection(log, 'applications', APPLICATION_FIELDS, APPLICATION_OPTIONAL),
  };
  const toClient = (
    principal: ServicePrincipal,
    application: Application | undefined,
    blueprint: Blueprint | undefined,
    grants: readonly Grant[],
    apis: readonly EntraResource[],
    shortestOf: ShortestLifetime,
  ): OAuthClient => {
    const called = apis.filter(({ api: name }) => grants.some((grant) => grant.api === name));
    const holders = called.flatMap(({ principalId, applicationId }) => [principalId, applicationId]);
    return toOAuthClient(principal, {
      provider,
      tenantId: tenant.tenantId,
      nowMs: clock.now(),
      application,
      blueprint,
      grants,
      lifetimeSeconds: shortestOf([principal.id, application?.id, ...holders]),
    });
  };

  const readAll = async (signal: AbortSignal): Promise<DirectorySnapshot> => {
    const before = api.requests();
    const query = { $top: PAGE_SIZE };
    const apis = await resources.read(0, signal);
    const shortestOf = await readLifetimes(0, signal);
    const principalRecords = await readCollection(
      api,
      { path: '/servicePrincipals', query, selection: selections.principals, what: 'service principals' },
      ANY_PRINCIPAL,
      signal,
    );
    const applicationRecords = await readCollection(
      api,
      { path: '/applications', query, selection: selections.applications, what: 'applications' },
      ANY_APPLICATION,
      signal,
    );
    requireValidRecord(principalRecords, place);
    requireValidRecord(applicationRecords, api.placeOf('applications'));
    const lists = { principals: principalRecords, applications: applicationRecords };
    const unregistered = await requireRegistrations(api, objects, lists, signal);
    const principals = validRecords(principalRecords);
    const applications = validRecords(applicationRecords);
    /** Why a service principal, or its grants, are unknown: by its object ID, and by its `appId`. */
    const faults = new Map<string, string>();
    let unowned: string | undefined;
    const addFaults = (records: readonly ListRecord<unknown>[], field: string, what: string) => {
      for (const { fault, raw } of invalidRecords(records)) {
        const owner = textIn(raw, field);
        if (owner === undefined) unowned = `${what}: one does not name its client: ${fault}`;
        else faults.set(owner, `${what}: ${fault}`);
      }
    };
    for (const { fault, raw } of invalidRecords(applicationRecords)) {
      const owner = textIn(raw, 'appId');
      if (owner !== undefined) faults.set(owner, `applications: ${fault}`);
    }
    for (const appId of unregistered)
      faults.set(appId, 'its registration is missing, and a record of the list has no id');
    const assignments: RoleAssignment[] = [];
    const permissionGrants: PermissionGrant[] = [];
    for (const resource of apis) {
      const assigned = await readAssignedTo(api, resource, signal);
      await knownAssignments.require({ resource: resource.principalId }, assigned, signal);
      assignments.push(...validRecords(assigned));
      addFaults(assigned, 'principalId', 'app role assignments');
      const filter = `resourceId eq '${resource.principalId}'`;
      const granted = await readPermissionGrants(api, filter, signal);
      await knownPermissionGrants.require({ resource: resource.principalId }, granted, signal);
      permissionGrants.push(...validRecords(granted));
      addFaults(granted, 'clientId', 'permission grants');
    }
    knownAssignments.replaceAll(assignments);
    knownPermissionGrants.replaceAll(permissionGrants);
    for (const [holder, why] of unreadableHolders(apis, assignments, permissionGrants))
      faults.set(holder, why);
    const grants = toGrants(apis, assignments, permissionGrants, names);
    const byAppId = new Map(applications.map((each) => [each.appId, each]));
    const clients = principals.filter(isClient);
    const ids = new Set(clients.map(clientIdOf));
    // One that was deleted and created again between two pages is in the list twice.
    const last = new Map(clients.map((principal) => [clientIdOf(principal), principal]));
    for (const principal of clients)
      if (last.get(clientIdOf(principal)) !== principal)
        faults.set(clientIdOf(principal), 'two service principals have its client id');
    const unreadable: UnreadableClient[] = invalidRecords(principalRecords).flatMap(({ fault, raw }) =>
      isClientRecord(raw) ? [toUnreadable(clientIdIn(raw), fault)] : [],
    );
    if (!ids.has(api.clientId) && !unreadable.some(({ clientId }) => clientId === api.clientId))
      throw incomplete(place, 'the service principal of scopemesh is not in the list; check clientId');
    const principalOf = new Map(principals.map((each) => [clientIdOf(each), each]));
    const blueprints = new Map<ServicePrincipal, Blueprint>();
    for (const principal of clients) {
      const id = await objects.blueprintIdOf(principal, signal);
      if (id === undefined) continue;
      blueprints.set(principal, { principal: principalOf.get(id), application: byAppId.get(id) });
      const blueprintFault = unreadable.find((each) => each.clientId === id)?.why ?? faults.get(id);
      if (blueprintFault !== undefined) faults.set(principal.id, `its blueprint: ${blueprintFault}`);
    }
    for (const principal of principals) names.principals.set(principal.id, clientIdOf(principal));
    for (const application of applications) names.applications.set(application.id, application.appId);
    names.complete();
    const found = [...last].flatMap(([clientId, principal]) => {
      const fault = faults.get(principal.id) ?? faults.get(clientId);
      if (fault !== undefined) {
        unreadable.push({ clientId, why: fault });
        return [];
      }
      return toClient(
        principal,
        byAppId.get(clientId),
        blueprints.get(principal),
        grants.get(principal.id) ?? [],
        apis,
        shortestOf,
      );
    });
    return {
      clients: found,
      unreadable,
      ...definedFields({ unownedGrant: unowned }),
      requests: api.requests() - before,
    };
  };

  const byClientId = async (clientId: string, signal: AbortSignal) => {
    const found = await objects.principalByAppId(clientId, signal);
    if (found !== undefined) return found;
    // An agent identity may have no appId. Then its object ID is its client ID.
    const agent = await objects.principalById(clientId, signal);
    return agent !== undefined && clientIdOf(agent) === clientId ? agent : undefined;
  };

  const complete = async (principal: ServicePrincipal, signal: AbortSignal): Promise<OAuthClient> => {
    const clientId = clientIdOf(principal);
    const own = <T>(read: () => Promise<T>) => readForClient(clientId, place, read);
    const [shortestOf, apis, application, blueprint, assigned, granted] = await Promise.all([
      readLifetimes(AGE_MS, signal),
      resources.read(AGE_MS, signal),
      own(() => objects.application(clientId, signal)),
      own(() => objects.blueprintOf(principal, signal)),
      own(() => readAssignments(api, `/servicePrincipals/${principal.id}/appRoleAssignments`, signal)),
      own(() => readPermissionGrants(api, `clientId eq '${principal.id}'`, signal)),
    ]);
    await knownAssignments.require({ holder: principal.id }, assigned, signal);
    await knownPermissionGrants.require({ holder: principal.id }, granted, signal);
    const [fault] = [...invalidRecords(assigned), ...invalidRecords(granted)];
    if (fault !== undefined) throw new ClientUnreadable(place, clientId, fault.fault);
    const assignments = validRecords(assigned);
    const permissionGrants = validRecords(granted);
    const isOld = assignments.some((assignment) => isUnknownRole(assignment, apis));
    const current = isOld ? await resources.read(0, signal) : apis;
    const isCounted = ({ resourceId }: RoleAssignment | PermissionGrant) =>
      current.some(({ principalId }) => principalId === resourceId);
    knownAssignments.replaceOf(principal.id, assignments.filter(isCounted));
    knownPermissionGrants.replaceOf(principal.id, permissionGrants.filter(isCounted));
    names.principals.set(principal.id, clientId);
    if (application !== undefined) names.applications.set(application.id, clientId);
    const unknown = unreadableHolders(current, assignments, permissionGrants).get(principal.id);
    if (unknown !== undefined) throw new ClientUnreadable(place, clientId, unknown);
    const grants = toGrants(current, assignments, permissionGrants, names).get(principal.id) ?? [];
    return toClient(principal, application, blueprint, grants, current, shortestOf);
  };

  return {
    provider,
    readAll,
    async read(by, value, signal) {
      signal.throwIfAborted();
      // Graph ignores the case of IDs, but a client has one client ID. Any other value is no ID here.
      if (!isGuid(value) || value !== value.toLowerCase()) return undefined;
      const principal = await (by === 'clientId'
        ? byClientId(value, signal)
        : objects.principalById(value, signal));
      return principal === undefined || !isClient(principal) ? undefined : complete(principal, signal);
    },
    readMembers(groups, signal, admitted) {
      if (groups.length > 0) names.wantsPeople = true;
      return readMembersOf(api, groups, admitted, signal);
    },
    checkAccess: (signal) => checkAccess(api, signal),
    close: () => api.close(),
  };
}

/** The client ID of an invalid record, as far as the record states it. */
function clientIdIn(raw: unknown): string | undefined {
  const appId = textIn(raw, 'appId');
  if (appId !== undefined) return isGuid(appId) ? appId : undefined;
  const hasNone = typeof raw === 'object' && raw !== null && Reflect.get(raw, 'appId') == null;
  const id = textIn(raw, 'id');
  return hasNone && id !== undefined && isGuid(id) ? id : undefined;
}

function isClientRecord(raw: unknown): boolean {
  return isClient({ servicePrincipalType: textIn(raw, 'servicePrincipalType') ?? null });
}

/** For each permission, the reads that Graph refuses without it. Clients must not read the access tokens for Graph. */
const CHECKS = [
  {
    permission: 'Application.Read.All',
    neededFor: 'applications, service principals and app role assignments',
    paths: ['/servicePrincipals', '/applications'],
  },
  {
    permission: 'Directory.Read.All',
    neededFor: 'delegated permission grants, and what changed',
    paths: ['/oauth2PermissionGrants', '/oauth2PermissionGrants/delta', '/servicePrincipals/delta'],
  },
  {
    permission: 'Policy.Read.All',
    neededFor: 'token lifetimes; without it 10 minutes are assumed',
    paths: ['/policies/tokenLifetimePolicies'],
  },
  {
    permission: 'GroupMember.Read.All',
    neededFor: 'the members of groups',
    forGroupsOnly: true,
    paths: ['/groups'],
  },
  {
    permission: 'User.Read.All',
    neededFor: 'whether the accounts of members are enabled, and notifications about users',
    forGroupsOnly: true,
    paths: ['/users'],
  },
] as const;

async function checkAccess(api: GraphApi, signal: AbortSignal): Promise<readonly AccessCheck[]> {
  const checks: AccessCheck[] = [];
  for (const { paths, ...permission } of CHECKS) {
    let isGranted = true;
    for (const path of paths) isGranted = isGranted && (await isAllowed(api, path, signal));
    checks.push({ ...permission, isGranted });
  }
  return checks;
}

async function isAllowed(api: GraphApi, path: string, signal: AbortSignal): Promise<boolean> {
  const place = api.placeOf('permissions');
  const query = path.endsWith('/delta')
    ? { $deltatoken: 'latest' }
    : path.startsWith('/policies')
      ? {}
      : { $top: 1, $select: 'id' };
  const answer = await api.send(api.addressOf(path, query), place, {}, signal);
  if (answer.status === 200) return true;
  if (answer.status === 403) return false;
  throw api.refusalOf(answer, place);
}
