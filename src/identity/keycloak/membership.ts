import { isRecord } from '../../model/is-record.js';
import { wrongShape } from '../read-errors.js';
import { textIn } from '../records.js';
import type { AdminApi } from './admin-api.js';

/** More requests than the roles of one person take. */
const MAX_REQUESTS = 100;

/** What a name under `groups:` means, as far as Keycloak found it. */
export interface Membership {
  readonly path?: string;
  readonly organization?: string;
  /** `client`: the internal ID of the client that the role belongs to; undefined for a role of the realm. */
  readonly role?: { readonly id: string; readonly client?: string };
}

/**
 * Whether Keycloak shows the user as an enabled member. It asks about that user alone, and reads none of the lists of which
 * one may be short: neither the members, nor the groups and composite roles that a role is found through. Throws WrongShape
 * for an answer that it cannot parse.
 */
export async function isStillMember(
  api: AdminApi,
  user: string,
  { path, organization, role }: Membership,
  signal: AbortSignal,
): Promise<boolean> {
  // A URL resolves these segments.
  if (user === '.' || user === '..') return false;
  const place = api.placeOf('members');
  const findOfUser = (segments: readonly string[], what?: string) =>
    api.find(segments, 'User not found', signal, what);
  const listOfUser = async (segments: readonly string[], what?: string) =>
    entriesOf((await findOfUser(segments, what)) ?? [], place);

  const person = await findOfUser(['users', user]);
  if (person === undefined) return false;
  if (!isRecord(person) || typeof person.enabled !== 'boolean')
    throw wrongShape(place, 'a user is shown only in part');
  if (!person.enabled) return false;

  if (organization !== undefined) {
    const segments = ['organizations', 'members', user, 'organizations'];
    const joined = await listOfUser(segments, 'organizations/members');
    return joined.some((each) => isRecord(each) && each.alias === organization && each.enabled === true);
  }
  const groups = await listOfUser(['users', user, 'groups']);
  if (path !== undefined && groups.some((each) => textIn(each, 'path') === path)) return true;
  if (role === undefined) return false;
  const list = role.client === undefined ? ['realm'] : ['clients', role.client];
  const mappings = ['users', user, 'role-mappings'];
  const effective = await listOfUser([...mappings, ...list, 'composite'], 'users/role-mappings');
  if (!effective.some((each) => textIn(each, 'id') === role.id)) return false;

  // It may be effective only through a role of another client, whose holders are no members.
  const given = [...rolesIn(await findOfUser(mappings), place)];
  const walk = createWalk(api, place, signal);
  for (const group of groups) given.push(...(await walk.rolesOfGroup(group)));
  return walk.leadsTo(role, given);
}

/** Groups upwards and composite roles downwards, each once. */
function createWalk(api: AdminApi, place: string, signal: AbortSignal) {
  const seen = new Set<string>();
  const isNew = (id: string) => {
    if (seen.size > MAX_REQUESTS) throw wrongShape(place, 'a user has more roles than can be followed');
    return seen.size < seen.add(id).size;
  };
  return {
    async rolesOfGroup(group: unknown): Promise<readonly unknown[]> {
      const id = textIn(group, 'id');
      if (id === undefined) throw wrongShape(place, 'a group has no id');
      if (!isNew(id)) return [];
      const own = rolesIn(await api.get(['groups', id, 'role-mappings'], {}, signal), place);
      const parent = textIn(group, 'parentId');
      if (parent === undefined) return own;
      return [...own, ...(await this.rolesOfGroup(await api.get(['groups', parent], {}, signal)))];
    },
    async leadsTo(role: NonNullable<Membership['role']>, given: readonly unknown[]) {
      for (const each of given) {
        if (!isRecord(each) || (each.clientRole === true && each.containerId !== role.client)) continue;
        const id = textIn(each, 'id');
        if (id === role.id) return true;
        if (id === undefined || each.composite !== true || !isNew(id)) continue;
        const parts = await api.list(['roles-by-id', id, 'composites'], {}, signal);
        if (await this.leadsTo(role, parts)) return true;
      }
      return false;
    },
  };
}

function entriesOf(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongShape(place, 'the answer is not a list');
  return value;
}

/** The roles that are mapped to a user or a group. Without roles of a kind its field is absent or null. */
function rolesIn(value: unknown, place: string): readonly unknown[] {
  if (value === undefined) return [];
  const realm = isRecord(value) ? (value.realmMappings ?? []) : undefined;
  const clients = isRecord(value) ? (value.clientMappings ?? {}) : undefined;
  if (!isRecord(clients)) throw wrongShape(place, 'the mapped roles cannot be read');
  const ofClients = Object.values(clients).flatMap((each) =>
    entriesOf(isRecord(each) ? each.mappings : undefined, place),
  );
  return [...entriesOf(realm, place), ...ofClients];
}
