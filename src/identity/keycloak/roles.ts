import type { Grant } from '../../model/client.js';
import { wrongShape } from '../records.js';
import type { AdminApi } from './admin-api.js';
import type { KeycloakClient } from './client.js';
import { isObject, textAt } from './json.js';
import type { KeycloakNames } from './names.js';

/** A role as a grant: one of the realm without `api`, one of a client with its client id. */
export interface Role {
  readonly id: string;
  readonly grant: Grant;
}

/** The effective roles of a user, through composites and groups. */
export async function readRolesOfUser(
  api: AdminApi,
  userId: string,
  signal: AbortSignal,
): Promise<readonly Role[]> {
  const place = placeOf(api);
  const realmRoles = await api.get(['users', userId, 'role-mappings', 'realm', 'composite'], {}, signal);
  // The one request for the effective roles of all clients, which the admin console itself uses; the documented
  // way asks once for each client of the realm.
  const clientRoles = await api.get(['ui-ext', 'effective-roles', 'users', userId], {}, signal);
  return [
    ...parseRoles(realmRoles, 'name', undefined, place),
    ...parseRoles(clientRoles, 'role', 'client', place),
  ];
}

/**
 * What a client holds by the roles of its service account, those of a client where that is one of `apis`. A client without
 * `fullScopeAllowed` gets only what its own scope mappings let into its tokens; roles that come in through a
 * client scope's mappings are left out there, which errs on the closed side.
 */
export async function readRoleGrants(
  api: AdminApi,
  client: KeycloakClient,
  held: readonly Role[],
  { names, apis }: { readonly names: KeycloakNames; readonly apis?: readonly string[] },
  signal: AbortSignal,
): Promise<readonly Grant[]> {
  const roles = held.filter(
    ({ grant }) => grant.api === undefined || apis === undefined || apis.includes(grant.api),
  );
  for (const { id, grant } of roles) names.learnRole(id, grant);
  if (client.fullScopeAllowed) return sorted(roles.map(({ grant }) => grant));
  const allowed = await readScopeMappings(api, client, signal);
  return sorted(
    roles.flatMap(({ id, grant }) => (grant.api === client.clientId || allowed.has(id) ? [grant] : [])),
  );
}

/** Ids of the roles in its own scope mappings, and of those within them. */
async function readScopeMappings(
  api: AdminApi,
  client: KeycloakClient,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const place = placeOf(api);
  const path = ['clients', client.internalId, 'scope-mappings', 'realm', 'composite'];
  const realmRoles = await api.get(path, {}, signal);
  const clientRoles = await api.get(['ui-ext', 'effective-roles', 'clients', client.internalId], {}, signal);
  const roles = [
    ...parseRoles(realmRoles, 'name', undefined, place),
    ...parseRoles(clientRoles, 'role', 'client', place),
  ];
  return new Set(roles.map(({ id }) => id));
}

function placeOf(api: AdminApi): string {
  return `provider ${api.provider}, realm ${api.issuer.realm}, service account`;
}

export function parseRoles(
  value: unknown,
  nameField: string,
  apiField: string | undefined,
  place: string,
): Role[] {
  if (!Array.isArray(value)) throw wrongShape(place, 'roles are not a list');
  return value.map((role: unknown) => {
    const id = isObject(role) ? textAt(role, 'id') : undefined;
    const name = isObject(role) ? textAt(role, nameField) : undefined;
    const api = isObject(role) && apiField !== undefined ? textAt(role, apiField) : undefined;
    if (id === undefined || name === undefined || (apiField !== undefined && api === undefined)) {
      throw wrongShape(place, 'a role has no name');
    }
    return { id, grant: api === undefined ? { name } : { api, name } };
  });
}

function keyOf(grant: Grant): string {
  return JSON.stringify([grant.api ?? '', grant.name]);
}

function sorted(grants: readonly Grant[]): readonly Grant[] {
  const byKey = new Map(grants.map((grant) => [keyOf(grant), grant]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, grant]) => grant);
}
