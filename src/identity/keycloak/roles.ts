import type { Grant } from '../../model/client.js';
import type { AdminApi } from './admin-api.js';
import { type KeycloakClient, wrongShape } from './client.js';
import { isInternalId, isObject, textAt } from './json.js';
import type { KeycloakNames } from './names.js';

/**
 * The roles of a client's service account as grants: those of the realm without `api`, those of a client with
 * its client id, where that is one of `apis`. They are the effective ones, through composites and groups. A client without
 * `fullScopeAllowed` gets only what its own scope mappings let into its tokens; roles that come in through a
 * client scope's mappings are left out there, which errs on the closed side.
 */
export async function readServiceAccountRoles(
  api: AdminApi,
  client: KeycloakClient,
  { names, apis }: { readonly names: KeycloakNames; readonly apis?: readonly string[] },
  signal: AbortSignal,
): Promise<readonly Grant[]> {
  if (!client.hasServiceAccount) return [];
  const place = `provider ${api.provider}, realm ${api.issuer.realm}, service account`;
  const user = await api.get(['clients', client.internalId, 'service-account-user'], {}, signal);
  const userId = isObject(user) ? textAt(user, 'id') : undefined;
  if (userId === undefined || !isInternalId(userId)) throw wrongShape(place, 'a user has no id');
  names.learnServiceAccount(userId, client.internalId);

  const realmRoles = await api.get(['users', userId, 'role-mappings', 'realm', 'composite'], {}, signal);
  // The one request for the effective roles of all clients, which the admin console itself uses; the documented
  // way asks once for each client of the realm.
  const clientRoles = await api.get(['ui-ext', 'effective-roles', 'users', userId], {}, signal);
  const roles = [
    ...parseRoles(realmRoles, 'name', undefined, place),
    ...parseRoles(clientRoles, 'role', 'client', place),
  ].filter(({ grant }) => grant.api === undefined || apis === undefined || apis.includes(grant.api));
  for (const { id, grant } of roles) names.learnRole(id, grant);
  const grants = roles.map(({ grant }) => grant);
  if (client.fullScopeAllowed) return sorted(grants);
  const allowed = await readScopeMappings(api, client, place, signal);
  return sorted(grants.filter((grant) => grant.api === client.clientId || allowed.has(keyOf(grant))));
}

async function readScopeMappings(
  api: AdminApi,
  client: KeycloakClient,
  place: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const path = ['clients', client.internalId, 'scope-mappings'];
  const mappings = await api.get(path, {}, signal);
  const realmRoles = await api.get([...path, 'realm', 'composite'], {}, signal);
  if (!isObject(mappings)) throw wrongShape(place, 'scope mappings are not an object');
  const grants = parseRoles(realmRoles, 'name', undefined, place).map(({ grant }) => grant);
  const byClient = mappings.clientMappings ?? {};
  if (!isObject(byClient)) throw wrongShape(place, 'scope mappings are not an object');
  for (const mapping of Object.values(byClient)) {
    const owner = isObject(mapping) ? textAt(mapping, 'id') : undefined;
    const name = isObject(mapping) ? textAt(mapping, 'client') : undefined;
    if (owner === undefined || name === undefined) throw wrongShape(place, 'a scope mapping has no client');
    const roles = await api.get([...path, 'clients', owner, 'composite'], {}, signal);
    for (const { grant } of parseRoles(roles, 'name', undefined, place)) grants.push({ ...grant, api: name });
  }
  return new Set(grants.map(keyOf));
}

function parseRoles(
  value: unknown,
  nameField: string,
  apiField: string | undefined,
  place: string,
): { readonly id: string; readonly grant: Grant }[] {
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
