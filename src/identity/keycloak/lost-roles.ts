import type { Grant } from '../../model/client.js';
import { groupBy } from '../../model/group-by.js';
import type { Evidence } from '../../model/trigger.js';
import { textIn } from '../records.js';
import type { AdminOperation } from './admin-event.js';
import type { JsonObject } from './json.js';
import type { KeycloakNames } from './names.js';

/**
 * The roles that an event deleted, renamed, or took from a group or out of another role, as far as the path and the details
 * say. The event does not say what such a role contained; only a read finds that.
 *
 *   roles/NAME, clients/ID/roles/NAME, roles-by-id/ID   the role itself, deleted or renamed
 *   .../composites, groups/ID/role-mappings/...         the roles in the list that the administrator sent
 *   clients/ID                                          every known role of a client that is deleted or renamed
 */
export function lostRoles(admin: AdminOperation, names: KeycloakNames): readonly Grant[] {
  const [kind, id = '', part] = admin.path;
  const { items = [], operation } = admin;
  const isTaken = operation === 'DELETE';
  if (kind === 'groups')
    return isTaken && part === 'role-mappings' ? items.flatMap((item) => parseSentRole(item, names)) : [];
  if (kind === 'clients' && part === undefined) return rolesLostWithClient(admin, id, names);
  const { role, rest } = roleOf(admin, names);
  if (rest.length === 1 && rest[0] === 'composites')
    return isTaken ? items.flatMap((item) => parseSentRole(item, names)) : [];
  if (role === undefined || rest.length > 0) return [];
  const named = textIn(admin.representation, 'name');
  const isRenamed = operation === 'UPDATE' && named !== undefined && named !== role.name;
  return isTaken || isRenamed ? [role] : [];
}

/** Lost roles as evidence, one piece for each API. */
export function toRoleEvidence(provider: string, roles: readonly Grant[]): readonly Evidence[] {
  return [...groupBy(roles, ({ api }) => api)].map(([api, lost]) => {
    const scopes = lost.map(({ name }) => name);
    return api === undefined ? { provider, scopes } : { provider, api, scopes };
  });
}

/** The role that a path is about, and the segments after it. Undefined for an unknown role ID. */
function roleOf(
  { path }: AdminOperation,
  names: KeycloakNames,
): { readonly role: Grant | undefined; readonly rest: readonly string[] } {
  const [kind, id = '', , name] = path;
  if (kind === 'roles-by-id') return { role: names.roles.get(id), rest: path.slice(2) };
  if (kind === 'roles') return { role: id === '' ? undefined : { name: id }, rest: path.slice(2) };
  const api = names.clients.get(id);
  const role = api === undefined || name === undefined ? undefined : { api, name };
  return { role, rest: path.slice(4) };
}

function rolesLostWithClient(admin: AdminOperation, id: string, names: KeycloakNames): readonly Grant[] {
  const known = names.clients.get(id);
  if (known === undefined) return [];
  const named = textIn(admin.representation, 'clientId');
  const isRenamed = admin.operation === 'UPDATE' && named !== undefined && named !== known;
  return admin.operation === 'DELETE' || isRenamed ? names.rolesOf(known) : [];
}

/** A role from the body of the administrator's request. */
function parseSentRole(item: JsonObject, names: KeycloakNames): readonly Grant[] {
  const name = textIn(item, 'name');
  if (name === undefined) return [];
  if (item.clientRole !== true) return [{ name }];
  const api = names.clients.get(textIn(item, 'containerId') ?? '');
  return api === undefined ? [] : [{ api, name }];
}
