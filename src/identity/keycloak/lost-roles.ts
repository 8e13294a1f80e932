import type { Grant } from '../../model/client.js';
import type { Evidence } from '../../model/trigger.js';
import type { KeycloakEvent } from './admin-event.js';
import { type JsonObject, textAt } from './json.js';
import type { KeycloakNames } from './names.js';

type Admin = NonNullable<KeycloakEvent['admin']>;

/**
 * The roles that an event says were deleted, renamed, or taken from a group or out of another role, as far as the path
 * and the details tell. What such a role contained is not told: that is found by the read alone.
 *
 *   roles/NAME, clients/ID/roles/NAME, roles-by-id/ID   the role itself, deleted or renamed
 *   .../composites, groups/ID/role-mappings/...         the roles in the list that the administrator sent
 *   clients/ID                                          every known role of a client that is gone or has another id
 */
export function lostRoles(admin: Admin, names: KeycloakNames): readonly Grant[] {
  const [kind, id = '', part] = admin.path;
  const { items = [], operation } = admin;
  const isTaken = operation === 'DELETE';
  if (kind === 'groups')
    return isTaken && part === 'role-mappings' ? items.flatMap((item) => sent(item, names)) : [];
  if (kind === 'clients' && part === undefined) return ofClient(admin, id, names);
  const { role, rest } = roleOf(admin, names);
  if (rest.length === 1 && rest[0] === 'composites')
    return isTaken ? items.flatMap((item) => sent(item, names)) : [];
  if (role === undefined || rest.length > 0) return [];
  const named = admin.representation === undefined ? undefined : textAt(admin.representation, 'name');
  const isRenamed = operation === 'UPDATE' && named !== undefined && named !== role.name;
  return isTaken || isRenamed ? [role] : [];
}

/** The same as evidence: one for each API. */
export function toRoleEvidence(provider: string, roles: readonly Grant[]): readonly Evidence[] {
  const byApi = new Map<string | undefined, string[]>();
  for (const { api, name } of roles) byApi.set(api, [...(byApi.get(api) ?? []), name]);
  return [...byApi].map(([api, scopes]) =>
    api === undefined ? { provider, scopes } : { provider, api, scopes },
  );
}

/** The role that a path is about, and what comes behind it; none where it has an id that nobody knows. */
function roleOf(
  { path }: Admin,
  names: KeycloakNames,
): { readonly role?: Grant; readonly rest: readonly string[] } {
  const [kind, id = ''] = path;
  if (kind === 'roles-by-id') {
    const known = names.role(id);
    return { ...(known === undefined ? {} : { role: known }), rest: path.slice(2) };
  }
  if (kind === 'roles') return { ...(id === '' ? {} : { role: { name: id } }), rest: path.slice(2) };
  const api = names.clientId(id);
  const name = path[3];
  return { ...(api === undefined || name === undefined ? {} : { role: { api, name } }), rest: path.slice(4) };
}

function ofClient(admin: Admin, id: string, names: KeycloakNames): readonly Grant[] {
  const known = names.clientId(id);
  if (known === undefined) return [];
  const named = admin.representation === undefined ? undefined : textAt(admin.representation, 'clientId');
  const isRenamed = admin.operation === 'UPDATE' && named !== undefined && named !== known;
  return admin.operation === 'DELETE' || isRenamed ? names.rolesOf(known) : [];
}

/** A role as the body of a request has it. */
function sent(item: JsonObject, names: KeycloakNames): readonly Grant[] {
  const name = textAt(item, 'name');
  if (name === undefined) return [];
  if (item.clientRole !== true) return [{ name }];
  const api = names.clientId(textAt(item, 'containerId') ?? '');
  return api === undefined ? [] : [{ api, name }];
}
