import type { Members } from '../directory.js';
import type { AdminApi } from './admin-api.js';
import { wrongShape } from './client.js';
import { isInternalId, isObject, textAt } from './json.js';
import type { KeycloakNames } from './names.js';
import { readPages } from './pages.js';

const MEMBER_LIMIT = 200_000;
/** Roles, and groups below one another; nobody has so many. */
const NAMED_LIMIT = 20_000;
/** Keycloak names the users of service accounts so; their tokens are clients' tokens, and no person's. */
const SERVICE_ACCOUNT = 'service-account-';

interface Named {
  readonly id: string;
  readonly name: string;
  readonly isComposite: boolean;
}

/**
 * Enabled people by group or realm role. `/ops/oncall` is a group by its path, `oncall` the group at the top of that
 * name or, where there is none, the realm role; a group of that name further down is not meant, because whoever may
 * make groups there would choose who is a member. Members of a group are its own, as in a token's groups. Holders of a
 * role are those who have it by themselves, by a group or one above it, or by another realm role that contains it; who
 * has it by a client's role alone is left out. People are known by their user id, the `sub` of their tokens.
 */
export async function readKeycloakMembers(
  api: AdminApi,
  names: KeycloakNames,
  options: { readonly pageSize: number },
  groups: readonly string[],
  signal: AbortSignal,
): Promise<Members> {
  const place = `provider ${api.provider}, realm ${api.issuer.realm}, members`;

  const pagesOf = async (segments: readonly string[], limit: number, parse: (value: unknown) => Named) =>
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
    return { id, name, isComposite: value.composite === true };
  };

  const addUsers = async (segments: readonly string[], found: Set<string>) => {
    const enabled = new Set<string>();
    const users = await pagesOf(segments, MEMBER_LIMIT, (value) => {
      const id = isObject(value) ? textAt(value, 'id') : undefined;
      const name = isObject(value) ? textAt(value, 'username') : undefined;
      if (!isObject(value) || id === undefined || name === undefined || typeof value.enabled !== 'boolean')
        throw wrongShape(place, 'a user is shown in part');
      if (value.enabled && !name.toLowerCase().startsWith(SERVICE_ACCOUNT)) enabled.add(id);
      else enabled.delete(id);
      return { id, name, isComposite: false };
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

  let containers: ReadonlyMap<string, readonly Named[]> | undefined;
  /** Which realm roles contain a role, by the id of what is contained. */
  const readContainers = async (): Promise<ReadonlyMap<string, readonly Named[]>> => {
    const all = new Map<string, Named[]>();
    for (const role of await pagesOf(['roles'], NAMED_LIMIT, named)) {
      if (!role.isComposite) continue;
      const parts = await api.get(['roles-by-id', role.id, 'composites'], {}, signal);
      if (!Array.isArray(parts)) throw wrongShape(place, 'the parts of a role are not a list');
      for (const { id } of parts.map(named)) all.set(id, [...(all.get(id) ?? []), role]);
    }
    return all;
  };

  const addHolders = async (role: Named, found: Set<string>, seen: Set<string>): Promise<void> => {
    if (seen.has(role.id)) return;
    seen.add(role.id);
    await addUsers(['roles', role.name, 'users'], found);
    const branches = new Set<string>();
    for (const group of await pagesOf(['roles', role.name, 'groups'], NAMED_LIMIT, named))
      await addBranch(group.id, found, branches);
    containers ??= await readContainers();
    for (const container of containers.get(role.id) ?? []) await addHolders(container, found, seen);
  };

  const readOne = async (group: string): Promise<readonly string[]> => {
    const found = new Set<string>();
    const isPath = group.startsWith('/');
    const groupId = await findGroup(isPath ? group : `/${group}`);
    if (groupId !== undefined) await addUsers(['groups', groupId, 'members'], found);
    else if (!isPath && group !== '' && group !== '.' && group !== '..') {
      const role = await api.find(['roles', group], 'Could not find role', signal);
      if (role !== undefined) {
        const parsed = named(role);
        if (parsed.name !== group) throw wrongShape(place, 'a read of one role found another');
        await addHolders(parsed, found, new Set());
      }
    }
    return [...found].sort();
  };

  const members = new Map<string, readonly string[]>();
  for (const group of new Set(groups)) members.set(group, await readOne(group));
  return members;
}
