import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import type { Grant, OAuthClient } from '../../model/client.js';
import type { Logger } from '../../observe.js';
import type { Directory, DirectorySnapshot } from '../directory.js';
import { checkAccess } from './access-checks.js';
import {
  isUnknownRole,
  type RoleAssignment,
  readAssignedTo,
  readAssignmentsOf,
  readPermissionGrants,
  toGrants,
} from './grants.js';
import { type GraphApi, incomplete } from './graph-api.js';
import { createTokenLifetimeReader, type TokenLifetimes } from './lifetimes.js';
import { readMembersOf } from './members.js';
import type { EntraNames } from './names.js';
import { createEntraObjects } from './objects.js';
import { readCollection } from './pages.js';
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
import type { EntraResource, EntraResources } from './resources.js';
import { createSelection } from './selection.js';
import { isGuid } from './tenant.js';

export interface EntraDirectoryOptions {
  /** Closed with the directory. */
  readonly api: GraphApi;
  readonly resources: EntraResources;
  readonly names: EntraNames;
  /** Entries to a page; 999, the most that Graph gives, by default. */
  readonly pageSize?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** For a read of one client: what its APIs offer and the lifetimes that hang on them change seldom. */
const AGE_MS = 60_000;

/**
 * The service principals of a tenant as clients: what may get tokens there, be its registration in this tenant or in
 * another, a managed identity, or an agent identity. Graph refuses what the token may not read rather than leave it out.
 */
export function createEntraDirectory(options: EntraDirectoryOptions): Directory {
  const { api, resources, names, clock, pageSize = 999 } = options;
  const { provider, tenant } = api;
  const objects = createEntraObjects(options);
  const lifetimeReader = createTokenLifetimeReader(options);
  const place = api.placeOf('service principals');
  const selecting = (what: string, fields: string, optional: readonly string[]) =>
    createSelection({ provider, logger: options.logger, what, fields, optional });
  const ofAll = {
    principals: selecting('service principals', PRINCIPAL_FIELDS, PRINCIPAL_OPTIONAL),
    applications: selecting('applications', APPLICATION_FIELDS, APPLICATION_OPTIONAL),
  };
  const toClient = (
    principal: ServicePrincipal,
    application: Application | undefined,
    blueprint: Blueprint | undefined,
    grants: readonly Grant[],
    apis: readonly EntraResource[],
    lifetimes: TokenLifetimes,
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
      lifetimeSeconds: lifetimes.shortest([principal.id, application?.id, ...holders]),
    });
  };

  const readAll = async (signal: AbortSignal): Promise<DirectorySnapshot> => {
    const before = api.requests;
    const query = { $top: pageSize };
    const apis = await resources.read(0, signal);
    const lifetimes = await lifetimeReader.read(0, signal);
    const principals = await readCollection(
      api,
      { path: '/servicePrincipals', query, selection: ofAll.principals, what: 'service principals' },
      SERVICE_PRINCIPAL,
      signal,
    );
    const applications = await readCollection(
      api,
      { path: '/applications', query, selection: ofAll.applications, what: 'applications' },
      APPLICATION,
      signal,
    );
    const assignments: RoleAssignment[] = [];
    const permissionGrants: Awaited<ReturnType<typeof readPermissionGrants>>[number][] = [];
    for (const resource of apis) {
      assignments.push(...(await readAssignedTo(api, resource, pageSize, signal)));
      const filter = `resourceId eq '${resource.principalId}'`;
      permissionGrants.push(...(await readPermissionGrants(api, filter, pageSize, signal)));
    }
    const grants = toGrants(apis, assignments, permissionGrants, names);
    const byAppId = new Map(applications.map((each) => [each.appId, each]));
    const clients = principals.filter(isClient);
    const ids = new Set(clients.map(clientIdOf));
    if (ids.size !== clients.length) throw incomplete(`${place}: two have the same client id`);
    if (!ids.has(api.clientId)) {
      const message = `${place}: the one that reads is not among them; check clientId`;
      throw new SyncError('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
    }
    const principalOf = new Map(principals.map((each) => [clientIdOf(each), each]));
    const blueprints = new Map<ServicePrincipal, Blueprint>();
    for (const principal of clients) {
      const id = await objects.blueprintIdOf(principal, signal);
      if (id === undefined) continue;
      blueprints.set(principal, { principal: principalOf.get(id), application: byAppId.get(id) });
    }
    for (const principal of principals) names.learnPrincipal(principal.id, clientIdOf(principal));
    for (const application of applications) names.learnApplication(application.id, application.appId);
    names.learnedAll();
    const found = clients.map((principal) =>
      toClient(
        principal,
        byAppId.get(clientIdOf(principal)),
        blueprints.get(principal),
        grants.get(principal.id) ?? [],
        apis,
        lifetimes,
      ),
    );
    return { clients: found, unreadable: [], requests: api.requests - before };
  };

  const byClientId = async (clientId: string, signal: AbortSignal) => {
    const found = await objects.principalByAppId(clientId, signal);
    if (found !== undefined) return found;
    // An agent identity may have no appId: its object id is its client id.
    const agent = await objects.principalById(clientId, signal);
    return agent !== undefined && clientIdOf(agent) === clientId ? agent : undefined;
  };

  const complete = async (principal: ServicePrincipal, signal: AbortSignal): Promise<OAuthClient> => {
    const clientId = clientIdOf(principal);
    const [lifetimes, apis, application, blueprint, assignments, permissionGrants] = await Promise.all([
      lifetimeReader.read(AGE_MS, signal),
      resources.read(AGE_MS, signal),
      objects.application(clientId, signal),
      objects.blueprintOf(principal, signal),
      readAssignmentsOf(api, principal.id, pageSize, signal),
      readPermissionGrants(api, `clientId eq '${principal.id}'`, pageSize, signal),
    ]);
    const isOld = assignments.some((assignment) => isUnknownRole(assignment, apis));
    const current = isOld ? await resources.read(0, signal) : apis;
    names.learnPrincipal(principal.id, clientId);
    if (application !== undefined) names.learnApplication(application.id, clientId);
    const grants = toGrants(current, assignments, permissionGrants, names).get(principal.id) ?? [];
    return toClient(principal, application, blueprint, grants, current, lifetimes);
  };

  return {
    provider,
    readAll,
    async read(by, value, signal) {
      signal.throwIfAborted();
      // Graph compares ids without case, but one client has one client id; nothing else is an id here.
      if (!isGuid(value) || value !== value.toLowerCase()) return undefined;
      const principal = await (by === 'clientId'
        ? byClientId(value, signal)
        : objects.principalById(value, signal));
      return principal === undefined || !isClient(principal) ? undefined : complete(principal, signal);
    },
    readMembers(groups, signal) {
      if (groups.length > 0) names.wantPeople();
      return readMembersOf(api, groups, pageSize, signal);
    },
    checkAccess: (signal) => checkAccess(api, signal),
    close: () => api.close(),
  };
}
