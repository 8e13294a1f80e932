import type { KeycloakEvent } from './admin-event.js';
import { textAt } from './json.js';
import { lostRoles } from './lost-roles.js';
import { clientRoleName } from './member-names.js';
import type { KeycloakNames } from './names.js';

type Admin = NonNullable<KeycloakEvent['admin']>;

/**
 * The groups, roles and organizations whose members an event may have changed, each as `groups:` may name it: a group by
 * its path and by its name, a role that is gone or taken away, or one that contains others.
 */
export function namedGroups(admin: Admin, names: KeycloakNames): readonly string[] {
  const [kind, id = ''] = admin.path;
  const lost = lostRoles(admin, names).map(({ api, name }) =>
    api === undefined ? name : clientRoleName(api, name),
  );
  return [...new Set([...itself(admin, kind, id, names), ...lost])];
}

function itself(
  { path, representation }: Admin,
  kind: string | undefined,
  id: string,
  names: KeycloakNames,
): readonly string[] {
  const known = names.groupPath(id);
  switch (kind) {
    case 'organizations':
      return known === undefined ? [] : [known];
    case 'groups':
      return known === undefined ? [] : [known, known.slice(1)];
    case 'roles':
      return [id];
    case 'clients': {
      const [, , part, role] = path;
      const clientId = names.clientId(id);
      return part === 'roles' && role !== undefined && clientId !== undefined
        ? [clientRoleName(clientId, role)]
        : [];
    }
    default: {
      const name = representation === undefined ? undefined : textAt(representation, 'name');
      return name === undefined || path.length > 2 ? [] : [name];
    }
  }
}
