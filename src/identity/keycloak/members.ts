import { isRecord } from '../../model/is-record.js';
import type { Members } from '../../model/members.js';
import { incomplete, WrongShape, wrongShape } from '../read-errors.js';
import { textIn } from '../records.js';
import { UnreadablePeopleList } from '../unreadable-people.js';
import type { AdminApi } from './admin-api.js';
import { readList } from './admin-lists.js';
import { isInternalId } from './json.js';
import { parseMemberName } from './member-names.js';
import { isStillMember, type Membership } from './membership.js';
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

/** What the lists of one group, role or organization show. */
interface Shown {
  readonly people: Set<string>;
  /** Also those who are not enabled. Undefined for a record without an ID. */
  readonly listed: (string | undefined)[];
  /** The IDs of the groups and roles that were followed. */
  readonly groups: Set<string>;
  readonly roles: Set<string>;
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
  options: { readonly pageSize: number; readonly admitted?: Members | undefined },
  groups: readonly string[],
  signal: AbortSignal,
): Promise<Members> {
  const { pageSize, admitted } = options;
  const place = api.placeOf('members');
  const organizations = createOrganizations(api, names, pageSize);
  const unreadable = new UnreadablePeopleList(admitted);

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
      isComposite: isRecord(value) && value.composite === true,
      list,
    });

  const addUsers = async (segments: readonly string[], shown: Shown) => {
    const enabled = new Set<string>();
    const parseUser = (value: unknown): Named => {
      const id = textIn(value, 'id');
      const name = textIn(value, 'username');
      if (!isRecord(value) || id === undefined || name === undefined || typeof value.enabled !== 'boolean') {
        unreadable.add(id);
        shown.listed.push(id);
        return { id: id ?? `? ${JSON.stringify(value)}`, name: '' };
      }
      if (value.enabled && !name.toLowerCase().startsWith(SERVICE_ACCOUNT)) enabled.add(id);
      else enabled.delete(id);
      return { id, name };
    };
    const users = await read(segments, parseUser, MEMBER_LIMIT);
    for (const { id } of users) {
      shown.listed.push(id);
      if (enabled.has(id)) shown.people.add(id);
    }
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

  const addGroupMembers = (id: string, shown: Shown) => {
    shown.groups.add(id);
    return addUsers(['groups', id, 'members'], shown);
  };

  const addBranch = async (groupId: string, shown: Shown): Promise<void> => {
    if (shown.groups.has(groupId)) return;
    await addGroupMembers(groupId, shown);
    for (const child of await read(['groups', groupId, 'children'], parseNamed))
      await addBranch(child.id, shown);
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

  const addHolders = async (role: Role, shown: Shown): Promise<void> => {
    if (shown.roles.has(role.id)) return;
    shown.roles.add(role.id);
    await addUsers([...role.list, role.name, 'users'], shown);
    for (const group of await read([...role.list, role.name, 'groups'], parseNamed))
      await addBranch(group.id, shown);
    const lists = role.list.length === 1 ? [REALM_ROLES] : [REALM_ROLES, role.list];
    for (const list of lists)
      for (const container of (await containersIn(list)).get(role.id) ?? [])
        await addHolders(container, shown);
  };

  const addHoldersByName = async (
    list: readonly string[],
    name: string,
    shown: Shown,
    clientId?: string,
  ): Promise<Role | undefined> => {
    // A URL resolves these segments, so the request would reach another role.
    if (name === '' || name === '.' || name === '..') return undefined;
    const answer = await api.find([...list, name], 'Could not find role', signal);
    if (answer === undefined) return undefined;
    const role = parseRole(list)(answer);
    if (role.name !== name) throw wrongShape(place, 'a read of one role returned another');
    names.roles.set(role.id, clientId === undefined ? { name } : { api: clientId, name });
    await addHolders(role, shown);
    return role;
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

  const addClientHolders = async (
    clientId: string,
    role: string,
    shown: Shown,
  ): Promise<Membership | undefined> => {
    const id = await findClient(clientId);
    if (id !== undefined) {
      names.clients.set(id, clientId);
      const found = await addHoldersByName(['clients', id, 'roles'], role, shown, clientId);
      return found && { role: { id: found.id, client: id } };
    }
    if ((await findClient(api.clientId)) === undefined) {
      // Keycloak leaves out what the token may not see.
      throw incomplete(place, 'the access token does not see its own client');
    }
    return undefined;
  };

  const readNamed = async (text: string): Promise<readonly string[]> => {
    const shown: Shown = { people: new Set(), listed: [], groups: new Set(), roles: new Set() };
    const name = parseMemberName(text);
    let membership: Membership | undefined;
    switch (name.kind) {
      case 'group':
      case 'bare': {
        const path = name.kind === 'group' ? name.path : `/${name.name}`;
        const groupId = await findGroup(path);
        let role: Role | undefined;
        if (groupId !== undefined) await addGroupMembers(groupId, shown);
        else if (name.kind === 'bare') role = await addHoldersByName(REALM_ROLES, name.name, shown);
        membership = { path, ...(role !== undefined && { role: { id: role.id } }) };
        break;
      }
      case 'clientRole':
        membership = await addClientHolders(name.clientId, name.role, shown);
        break;
      case 'organization': {
        const id = await organizations.find(name.alias, signal);
        if (id !== undefined) await addUsers(['organizations', id, 'members'], shown);
        if (!organizations.areOff) membership = { organization: name.alias };
        break;
      }
    }
    if (membership !== undefined) {
      const meant = membership;
      await unreadable.confirmLeft(text, shown.listed, (user) => isStillMember(api, user, meant, signal));
    }
    return [...shown.people].sort();
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
