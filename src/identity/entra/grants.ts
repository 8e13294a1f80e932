import { z } from 'zod';
import type { Grant } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import { type ListRecord, recordOf, textIn } from '../records.js';
import type { GraphApi } from './graph-api.js';
import type { EntraNames } from './names.js';
import { PAGE_SIZE, readCollection } from './pages.js';
import { guid } from './principal.js';
import type { EntraResource } from './resources.js';

/** https://learn.microsoft.com/graph/api/resources/approleassignment */
const ASSIGNMENT = z.object({
  id: z.string().min(1).max(255),
  appRoleId: guid,
  principalId: guid,
  principalType: z.string(),
  resourceId: guid,
});
export type RoleAssignment = z.output<typeof ASSIGNMENT>;

/** https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant */
const PERMISSION_GRANT = z.object({
  id: z.string().min(1).max(255),
  clientId: guid,
  consentType: z.string(),
  resourceId: guid,
  scope: z.string().max(65_536).nullish(),
});
export type PermissionGrant = z.output<typeof PERMISSION_GRANT>;

const NO_ROLE = '00000000-0000-0000-0000-000000000000';

/** The app roles of one API that service principals hold. People and groups can hold app roles too. */
export async function readAssignedTo(
  api: GraphApi,
  resource: EntraResource,
  signal: AbortSignal,
): Promise<readonly ListRecord<RoleAssignment>[]> {
  const path = `/servicePrincipals/${resource.principalId}/appRoleAssignedTo`;
  const records = await readAssignments(api, path, signal);
  // An empty type is no service principal, and a record without a readable one may be.
  return records.filter((record) => {
    const type =
      record.fault === undefined ? record.value.principalType : textIn(record.raw, 'principalType');
    return (type ?? 'ServicePrincipal') === 'ServicePrincipal';
  });
}

export function readAssignments(
  api: GraphApi,
  path: string,
  signal: AbortSignal,
): Promise<readonly ListRecord<RoleAssignment>[]> {
  const collection = { path, query: { $top: PAGE_SIZE }, what: 'app role assignments' };
  return readCollection(api, collection, recordOf(ASSIGNMENT, 'id'), signal);
}

/** One assignment alone (https://learn.microsoft.com/graph/api/approleassignment-get). */
export function assignmentPath(resourceId: string, id: string): string {
  return `/servicePrincipals/${resourceId}/appRoleAssignedTo/${encodeURIComponent(id)}`;
}

/** The delegated scopes to which an administrator consented for everybody. `filter` selects a client or an API. */
export function readPermissionGrants(
  api: GraphApi,
  filter: string,
  signal: AbortSignal,
): Promise<readonly ListRecord<PermissionGrant>[]> {
  const query = { $filter: `${filter} and consentType eq 'AllPrincipals'`, $top: PAGE_SIZE };
  const collection = { path: '/oauth2PermissionGrants', query, what: 'permission grants' };
  return readCollection(api, collection, recordOf(PERMISSION_GRANT, 'id'), signal);
}

/** Whether an assigned role is unknown for its API. Then `resources` is old, or the role is disabled. */
export function isUnknownRole(assignment: RoleAssignment, resources: readonly EntraResource[]): boolean {
  const resource = resources.find(({ principalId }) => principalId === assignment.resourceId);
  return (
    resource !== undefined && assignment.appRoleId !== NO_ROLE && !resource.roles.has(assignment.appRoleId)
  );
}

/** Service principals that hold something of an API which cannot be parsed, and why: what they may obtain is unknown. */
export function unreadableHolders(
  resources: readonly EntraResource[],
  assignments: readonly RoleAssignment[],
  permissionGrants: readonly PermissionGrant[],
): ReadonlyMap<string, string> {
  const byId = new Map(resources.map((resource) => [resource.principalId, resource]));
  const found = new Map<string, string>();
  for (const { principalId, resourceId, appRoleId } of assignments) {
    const { invalidRoles = NOTHING, roles = NOTHING } = byId.get(resourceId) ?? {};
    // A role without an ID may be any that is not known.
    const mayBeUnnamed = !roles.has(appRoleId) && [...invalidRoles.keys()].some((id) => id.startsWith('?'));
    const fault = invalidRoles.get(appRoleId) ?? (mayBeUnnamed ? 'the record has no id' : undefined);
    if (fault !== undefined) found.set(principalId, `an app role: ${fault}`);
  }
  for (const { clientId, resourceId, scope } of permissionGrants) {
    const { invalidScopes = [], scopes = new Set() } = byId.get(resourceId) ?? {};
    const unknown = (scope ?? '').split(' ').filter((name) => name !== '' && !scopes.has(name));
    if (invalidScopes.some((name) => (name === undefined ? unknown.length > 0 : unknown.includes(name))))
      found.set(clientId, 'a delegated scope: the record does not have the documented form');
  }
  return found;
}

const NOTHING: ReadonlyMap<string, string> = new Map();

/**
 * What each service principal may obtain. An app role counts for the principal to which it is assigned. A delegated scope
 * counts only if an administrator consented for everybody (`AllPrincipals`): the consent of one person lets the client act
 * for that person only, and is no property of the client.
 */
export function toGrants(
  resources: readonly EntraResource[],
  assignments: readonly RoleAssignment[],
  permissionGrants: readonly PermissionGrant[],
  names: EntraNames,
): ReadonlyMap<string, readonly Grant[]> {
  const byId = new Map(resources.map((resource) => [resource.principalId, resource]));
  const found = new Map<string, Map<string, Grant>>();
  const add = (principalId: string, api: string, name: string) => {
    const grants = found.get(principalId) ?? new Map<string, Grant>();
    found.set(principalId, grants.set(JSON.stringify([api, name]), { api, name }));
  };
  for (const { principalId, resourceId, appRoleId } of assignments) {
    const resource = byId.get(resourceId);
    const role = resource?.roles.get(appRoleId);
    if (resource !== undefined && role !== undefined) add(principalId, resource.api, role);
  }
  for (const { id, clientId, consentType, resourceId, scope } of permissionGrants) {
    const resource = byId.get(resourceId);
    if (resource === undefined) continue;
    names.grants.set(id, clientId);
    if (consentType !== 'AllPrincipals') continue;
    for (const name of (scope ?? '').split(' '))
      if (resource.scopes.has(name)) add(clientId, resource.api, name);
  }
  return new Map([...found].map(([id, grants]) => [id, sorted(grants)]));
}

function sorted(grants: ReadonlyMap<string, Grant>): readonly Grant[] {
  return [...grants].sort(([a], [b]) => compareText(a, b)).map(([, grant]) => grant);
}
