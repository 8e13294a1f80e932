import { textIn } from '../records.js';
import type { AdminOperation } from './admin-event.js';
import { lostRoles } from './lost-roles.js';
import { clientRoleName } from './member-names.js';
import type { KeycloakNames } from './names.js';

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
