import type { Members } from '../directory.js';
import { confirmMissing, type KnownEntries, missingPeople } from '../known-entries.js';
import { incomplete, WrongShape, wrongShape } from '../read-errors.js';
import { textIn, UnreadablePeopleList } from '../records.js';
import type { AdminApi } from './admin-api.js';
import { readList } from './admin-lists.js';
import { isInternalId, isObject } from './json.js';
import { parseMemberName } from './member-names.js';
import type { KeycloakNames } from './names.js';
import { createOrganizations } from './organizations.js';
import { SERVICE_ACCOUNT } from './service-accounts.js';

const MEMBER_LIMIT = 200_000;
/** More roles, or subgroups, than a realm has. */
const NAMED_LIMIT = 20_000;

const REALM_ROLES = ['roles'] as const;

interface Named {
  readonly id: string;
  readonly name: string;
}

interface Role extends Named {
  readonly isComposite: boolean;
  /** The path of the list that it belongs to: the realm's, or its client's. */
  readonly list: readonly string[];
}

/**
 * The enabled people of each group, role or organization. `parseMemberName` says how names are read. A bare name never
 * means a subgroup, because anybody who may create subgroups could then choose the members. The members of a group are its
 * own, as in a token's groups. The holders of a role have it directly, through a group or one above it, or through another
 * role of the realm or of the same client. A holder through another client's role is left out. The subject of a person is
 * the user ID, which is the `sub` of the person's tokens.
 */
export async function readKeycloakMembers(
  api: AdminApi,
  names: KeycloakNames,
  options: {
    readonly pageSize: number;
    readonly known: KnownEntries;
    readonly admitted?: Members | undefined;
  },
  groups: readonly string[],
  signal: AbortSignal,
): Promise<Members> {
  const { pageSize, known, admitted } = options;
  const place = api.placeOf('members');
  const organizations = createOrganizations(api, names, pageSize);
  const unreadable = new UnreadablePeopleList();

  const read = <T extends Named>(
    segments: readonly string[],
    parse: (value: unknown) => T,
    limit = NAMED_LIMIT,
  ) => readList(api, { segments, place, pageSize, limit, parse }, signal);

  const parseNamed = (value: unknown): Named => {
    const id = textIn(value, 'id');
    const name = textIn(value, 'name');
    if (id === undefined || name === undefined || !isInternalId(id))
      throw wrongShape(place, 'a group or role has no id');
    return { id, name };
  };
  const parseRole =
    (list: readonly string[]) =>
    (value: unknown): Role => ({
      ...parseNamed(value),
      isComposite: isObject(value) && value.composite === true,
      list,
    });

  /**
   * `holds`: where Keycloak shows what one user belongs to, and the ID of it that must be there. It is asked for some of
   * those whom the last read showed and this one does not, if these are most of them, and for some of those who have access
   * by `group` and are missing.
   */
  const addUsers = async (
    segments: readonly string[],
    found: Set<string>,
    holds?: { readonly part: readonly string[]; readonly id: string },
    group?: string,
  ) => {
    const enabled = new Set<string>();
    let isUnnamed = false;
    const parseUser = (value: unknown): Named => {
      const id = textIn(value, 'id');
      const name = textIn(value, 'username');
      if (!isObject(value) || id === undefined || name === undefined || typeof value.enabled !== 'boolean') {
        unreadable.add(id);
        isUnnamed ||= id === undefined;
        return { id: id ?? `? ${JSON.stringify(value)}`, name: '' };
      }
      if (value.enabled && !name.toLowerCase().startsWith(SERVICE_ACCOUNT)) enabled.add(id);
      else enabled.delete(id);
      return { id, name };
    };
    const users = await read(segments, parseUser, MEMBER_LIMIT);
    if (holds !== undefined) {
      const isMember = async (user: string) => {
        // A URL resolves these segments.
        if (user === '.' || user === '..') return false;
        const answer = await api.find(['users', user, ...holds.part], 'User not found', signal);
        return Array.isArray(answer) && answer.some((each) => textIn(each, 'id') === holds.id);
      };
      const ids = users.map(({ id }) => id);
      await known.require(segments.join('/'), ids, isMember, place);
      // A person without an ID may be any of the missing ones, who then keep their membership.
      if (group !== undefined && !isUnnamed)
        await confirmMissing(missingPeople(admitted, group, ids), isMember, place);
    }
    for (const { id } of users) if (enabled.has(id)) found.add(id);
  };

  const findGroup = async (path: string): Promise<string | undefined> => {
    const segments = path.split('/').slice(1);
    // A URL resolves these segments, so the request would reach another group.
    if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return undefined;
    const answer = await api.find(['group-by-path', ...segments], 'Group path does not exist', signal);
    if (answer === undefined) return undefined;
    const { id } = parseNamed(answer);
    if (textIn(answer, 'path') !== path) throw wrongShape(place, 'a read of one group returned another');
    names.groups.set(id, path);
    return id;
  };

  const addGroupMembers = (id: string, found: Set<string>, group?: string) =>
    addUsers(['groups', id, 'members'], found, { part: ['groups'], id }, group);

  const addBranch = async (groupId: string, found: Set<string>, seen: Set<string>): Promise<void> => {
    if (seen.has(groupId)) return;
    seen.add(groupId);
    await addGroupMembers(groupId, found);
    for (const child of await read(['groups', groupId, 'children'], parseNamed))
      await addBranch(child.id, found, seen);
  };

  const containersByList = new Map<string, ReadonlyMap<string, readonly Role[]>>();
  /** The roles of a list that contain other roles, by the ID of the contained role. */
  const containersIn = async (list: readonly string[]): Promise<ReadonlyMap<string, readonly Role[]>> => {
    const known = containersByList.get(list.join('/'));
    if (known !== undefined) return known;
    const containers = new Map<string, Role[]>();
    for (const role of await read(list, parseRole(list))) {
      if (!role.isComposite) continue;
      const parts = await api.list(['roles-by-id', role.id, 'composites'], {}, signal);
      for (const { id } of parts.map(parseNamed)) containers.set(id, [...(containers.get(id) ?? []), role]);
    }
    containersByList.set(list.join('/'), containers);
    return containers;
  };

  const addHolders = async (role: Role, found: Set<string>, seen: Set<string>): Promise<void> => {
    if (seen.has(role.id)) return;
    seen.add(role.id);
    const [, client] = role.list;
    const part = ['role-mappings', ...(client === undefined ? ['realm'] : ['clients', client])];
    await addUsers([...role.list, role.name, 'users'], found, { part, id: role.id });
    const branches = new Set<string>();
    for (const group of await read([...role.list, role.name, 'groups'], parseNamed))
      await addBranch(group.id, found, branches);
    const lists = role.list.length === 1 ? [REALM_ROLES] : [REALM_ROLES, role.list];
    for (const list of lists)
      for (const container of (await containersIn(list)).get(role.id) ?? [])
        await addHolders(container, found, seen);
  };

  const addHoldersByName = async (
    list: readonly string[],
    name: string,
    found: Set<string>,
    clientId?: string,
  ): Promise<void> => {
    // A URL resolves these segments, so the request would reach another role.
    if (name === '' || name === '.' || name === '..') return;
    const answer = await api.find([...list, name], 'Could not find role', signal);
    if (answer === undefined) return;
    const role = parseRole(list)(answer);
    if (role.name !== name) throw wrongShape(place, 'a read of one role returned another');
    names.roles.set(role.id, clientId === undefined ? { name } : { api: clientId, name });
    await addHolders(role, found, new Set());
  };

  const findClient = async (clientId: string): Promise<string | undefined> => {
    // Keycloak treats a blank filter as no filter.
    if (clientId.trim() === '') return undefined;
    const answer = await api.list(['clients'], { clientId }, signal);
    const id = textIn(
      answer.find((each) => textIn(each, 'clientId') === clientId),
      'id',
    );
    if (id !== undefined && !isInternalId(id)) throw wrongShape(place, 'a client has an impossible id');
    return id;
  };

  const addClientHolders = async (clientId: string, role: string, found: Set<string>): Promise<void> => {
    const id = await findClient(clientId);
    if (id !== undefined) {
      names.clients.set(id, clientId);
      await addHoldersByName(['clients', id, 'roles'], role, found, clientId);
    } else if ((await findClient(api.clientId)) === undefined) {
      // Keycloak leaves out what the token may not see.
      throw incomplete(place, 'the access token does not see its own client');
    }
  };

  const readNamed = async (text: string): Promise<readonly string[]> => {
    const found = new Set<string>();
    const name = parseMemberName(text);
    switch (name.kind) {
      case 'group':
      case 'bare': {
        const groupId = await findGroup(name.kind === 'group' ? name.path : `/${name.name}`);
        if (groupId !== undefined) await addGroupMembers(groupId, found, text);
        else if (name.kind === 'bare') await addHoldersByName(REALM_ROLES, name.name, found);
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

  /** A group or role that cannot be parsed, or of which a part cannot, is unknown. The others are read. */
  const readOne = (text: string) =>
    readNamed(text).catch((error: unknown): readonly string[] => {
      if (!(error instanceof WrongShape)) throw error;
      unreadable.addGroup(text);
      return [];
    });

  const members = new Map<string, readonly string[]>();
  for (const group of new Set(groups)) members.set(group, await readOne(group));
  return unreadable.addTo(members);
}
