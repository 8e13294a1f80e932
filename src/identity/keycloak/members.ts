import type { Members } from '../directory.js';
import { withUnreadable, wrongShape } from '../records.js';
import type { AdminApi } from './admin-api.js';
import { isInternalId, isObject, textAt } from './json.js';
import { parseMemberName } from './member-names.js';
import type { KeycloakNames } from './names.js';
import { createOrganizations } from './organizations.js';
import { readPages } from './pages.js';
import { SERVICE_ACCOUNT } from './service-accounts.js';

const MEMBER_LIMIT = 200_000;
/** Roles, and groups below one another; nobody has so many. */
const NAMED_LIMIT = 20_000;

const REALM_ROLES = ['roles'] as const;

interface Named {
  readonly id: string;
  readonly name: string;
}

interface Role extends Named {
  readonly isComposite: boolean;
  /** Of its list: the realm's, or that of its client. */
  readonly list: readonly string[];
}

/**
 * Enabled people by group, role or organization, as `parseMemberName` reads the names. A group of a bare name further
 * down is not meant, because whoever may make groups there would choose who is a member. Members of a group are its own,
 * as in a token's groups. Holders of a role are those who have it by themselves, by a group or one above it, or by
 * another role that contains it, of the realm or of the same client; who has it by another client's role alone is left
 * out. People are known by their user id, the `sub` of their tokens.
 */
export async function readKeycloakMembers(
  api: AdminApi,
  names: KeycloakNames,
  options: { readonly pageSize: number },
  groups: readonly string[],
  signal: AbortSignal,
): Promise<Members> {
  const place = `provider ${api.provider}, realm ${api.issuer.realm}, members`;

  const pagesOf = async <T extends Named>(
    segments: readonly string[],
    limit: number,
    parse: (value: unknown) => T,
  ) =>
    readPages({
      place,
      pageSize: options.pageSize,
      limit,
      read: async (first, max) => {
        const answer = await api.get(segments, { first, max, briefRepresentation: true }, signal);
        if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
        return answer.map(parse);
      },
      idOf: ({ id }) => id,
    });
  const named = (value: unknown): Named => {
    const id = isObject(value) ? textAt(value, 'id') : undefined;
    const name = isObject(value) ? textAt(value, 'name') : undefined;
    if (!isObject(value) || id === undefined || name === undefined || !isInternalId(id))
      throw wrongShape(place, 'a group or role has no id');
    return { id, name };
  };
  const roleIn =
    (list: readonly string[]) =>
    (value: unknown): Role => ({
      ...named(value),
      isComposite: isObject(value) && value.composite === true,
      list,
    });

  const organizations = createOrganizations(api, names, options.pageSize);

  const subjects = new Set<string>();
  let hasUnnamed = false;
  const addUsers = async (segments: readonly string[], found: Set<string>) => {
    const enabled = new Set<string>();
    const users = await pagesOf(segments, MEMBER_LIMIT, (value) => {
      const id = isObject(value) ? textAt(value, 'id') : undefined;
      const name = isObject(value) ? textAt(value, 'username') : undefined;
      if (!isObject(value) || id === undefined || name === undefined || typeof value.enabled !== 'boolean') {
        if (id === undefined) hasUnnamed = true;
        else subjects.add(id);
        return { id: id ?? `? ${JSON.stringify(value)}`, name: '' };
      }
      if (value.enabled && !name.toLowerCase().startsWith(SERVICE_ACCOUNT)) enabled.add(id);
      else enabled.delete(id);
      return { id, name };
    });
    for (const { id } of users) if (enabled.has(id)) found.add(id);
  };

  const findGroup = async (path: string): Promise<string | undefined> => {
    const segments = path.split('/').slice(1);
    // A URL would resolve these away, and lead to another group.
    if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return undefined;
    const answer = await api.find(['group-by-path', ...segments], 'Group path does not exist', signal);
    if (answer === undefined) return undefined;
    const { id } = named(answer);
    if (!isObject(answer) || answer.path !== path)
      throw wrongShape(place, 'a read of one group found another');
    names.learnGroup(id, path);
    return id;
  };

  const addBranch = async (groupId: string, found: Set<string>, seen: Set<string>): Promise<void> => {
    if (seen.has(groupId)) return;
    seen.add(groupId);
    await addUsers(['groups', groupId, 'members'], found);
    for (const child of await pagesOf(['groups', groupId, 'children'], NAMED_LIMIT, named))
      await addBranch(child.id, found, seen);
  };

  const containers = new Map<string, ReadonlyMap<string, readonly Role[]>>();
  /** Which roles of a list contain a role, by the id of what is contained. */
  const containersIn = async (list: readonly string[]): Promise<ReadonlyMap<string, readonly Role[]>> => {
    const known = containers.get(list.join('/'));
    if (known !== undefined) return known;
    const all = new Map<string, Role[]>();
    for (const role of await pagesOf(list, NAMED_LIMIT, roleIn(list))) {
      if (!role.isComposite) continue;
      const parts = await api.get(['roles-by-id', role.id, 'composites'], {}, signal);
      if (!Array.isArray(parts)) throw wrongShape(place, 'the parts of a role are not a list');
      for (const { id } of parts.map(named)) all.set(id, [...(all.get(id) ?? []), role]);
    }
    containers.set(list.join('/'), all);
    return all;
  };

  const addHolders = async (role: Role, found: Set<string>, seen: Set<string>): Promise<void> => {
    if (seen.has(role.id)) return;
    seen.add(role.id);
    await addUsers([...role.list, role.name, 'users'], found);
    const branches = new Set<string>();
    for (const group of await pagesOf([...role.list, role.name, 'groups'], NAMED_LIMIT, named))
      await addBranch(group.id, found, branches);
    const lists = role.list.length === 1 ? [REALM_ROLES] : [REALM_ROLES, role.list];
    for (const list of lists)
      for (const container of (await containersIn(list)).get(role.id) ?? [])
        await addHolders(container, found, seen);
  };

  const addHoldersOf = async (
    list: readonly string[],
    name: string,
    found: Set<string>,
    owner?: string,
  ): Promise<void> => {
    // A URL would resolve these away, and lead to another role.
    if (name === '' || name === '.' || name === '..') return;
    const answer = await api.find([...list, name], 'Could not find role', signal);
    if (answer === undefined) return;
    const role = roleIn(list)(answer);
    if (role.name !== name) throw wrongShape(place, 'a read of one role found another');
    names.learnRole(role.id, owner === undefined ? { name } : { api: owner, name });
    await addHolders(role, found, new Set());
  };

  const findClient = async (clientId: string): Promise<string | undefined> => {
    // Keycloak takes a blank filter for none at all.
    if (clientId.trim() === '') return undefined;
    const answer = await api.get(['clients'], { clientId }, signal);
    if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
    const found: unknown = answer.find((each) => isObject(each) && each.clientId === clientId);
    const id = isObject(found) ? textAt(found, 'id') : undefined;
    if (id !== undefined && !isInternalId(id)) throw wrongShape(place, 'a client has an impossible id');
    return id;
  };

  const addClientHolders = async (clientId: string, role: string, found: Set<string>): Promise<void> => {
    const id = await findClient(clientId);
    if (id !== undefined) {
      names.learnClient(id, clientId);
      await addHoldersOf(['clients', id, 'roles'], role, found, clientId);
    } else if ((await findClient(api.clientId)) === undefined) {
      // Keycloak leaves out what the token may not see.
      throw wrongShape(place, 'the token does not see its client');
    }
  };

  const readOne = async (text: string): Promise<readonly string[]> => {
    const found = new Set<string>();
    const name = parseMemberName(text);
    switch (name.kind) {
      case 'group':
      case 'bare': {
        const groupId = await findGroup(name.kind === 'group' ? name.path : `/${name.name}`);
        if (groupId !== undefined) await addUsers(['groups', groupId, 'members'], found);
        else if (name.kind === 'bare') await addHoldersOf(REALM_ROLES, name.name, found);
        break;
      }
      case 'clientRole':
        await addClientHolders(name.clientId, name.role, found);
        break;
      case 'organization': {
        const id = await organizations.find(name.alias, signal);
        if (id !== undefined) await addUsers(['organizations', id, 'members'], found);
        break;
      }
    }
    return [...found].sort();
  };

  const members = new Map<string, readonly string[]>();
  for (const group of new Set(groups)) members.set(group, await readOne(group));
  return withUnreadable(members, { subjects, hasUnnamed });
}
