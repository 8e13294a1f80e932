import { textIn } from '../records.js';
import type { AdminOperation } from './admin-event.js';
import { lostRoles } from './lost-roles.js';
import type { KeycloakNames } from './names.js';

/** The meaning of a name under `groups:` in Keycloak. */
type MemberName =
  | { readonly kind: 'group'; readonly path: string }
  | { readonly kind: 'clientRole'; readonly clientId: string; readonly role: string }
  | { readonly kind: 'organization'; readonly alias: string }
  /** The top-level group with this name or the realm role if no group has it. */
  | { readonly kind: 'bare'; readonly name: string };

const CLIENT_ROLE = 'client/';
const ORGANIZATION = 'organization/';

/**
 *   /ops/oncall                a group by its path
 *   client/orders-api/reader   a role of a client; the role follows the last slash
 *   organization/acme          an organization by its alias
 *   oncall                     a top-level group, or a role of the realm
 */
export function parseMemberName(text: string): MemberName {
  if (text.startsWith('/')) return { kind: 'group', path: text };
  if (text.startsWith(ORGANIZATION)) return { kind: 'organization', alias: text.slice(ORGANIZATION.length) };
  const at = text.lastIndexOf('/');
  if (text.startsWith(CLIENT_ROLE) && at >= CLIENT_ROLE.length) {
    return { kind: 'clientRole', clientId: text.slice(CLIENT_ROLE.length, at), role: text.slice(at + 1) };
  }
  return { kind: 'bare', name: text };
}

function clientRoleName(clientId: string, role: string): string {
  return `${CLIENT_ROLE}${clientId}/${role}`;
}

export function organizationName(alias: string): string {
  return ORGANIZATION + alias;
}

/**
 * The groups, roles and organizations whose members an event may have changed, by the names that `groups:` may use: a group
 * by its path and by its name, a role that is deleted or taken away, or a role that contains others.
 */
export function namedGroups(admin: AdminOperation, names: KeycloakNames): readonly string[] {
  const [kind, id = ''] = admin.path;
  const lost = lostRoles(admin, names).map(({ api, name }) =>
    api === undefined ? name : clientRoleName(api, name),
  );
  return [...new Set([...namesOfObject(admin, kind, id, names), ...lost])];
}

function namesOfObject(
  { path, representation }: AdminOperation,
  kind: string | undefined,
  id: string,
  names: KeycloakNames,
): readonly string[] {
  const known = names.groups.get(id);
  switch (kind) {
    case 'organizations':
      return known === undefined ? [] : [known];
    case 'groups':
      return known === undefined ? [] : [known, known.slice(1)];
    case 'roles':
      return [id];
    case 'clients': {
      const [, , part, role] = path;
      const clientId = names.clients.get(id);
      return part === 'roles' && role !== undefined && clientId !== undefined
        ? [clientRoleName(clientId, role)]
        : [];
    }
    default: {
      const name = textIn(representation, 'name');
      return name === undefined || path.length > 2 ? [] : [name];
    }
  }
}
