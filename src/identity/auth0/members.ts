import { z } from 'zod';
import type { Members } from '../../model/members.js';
import { invalidRecords, recordOf, textIn, validRecords } from '../records.js';
import { UnreadablePeopleList } from '../unreadable-people.js';
import type { BlockedUsers } from './blocked-users.js';
import type { ManagementApi } from './management-api.js';
import { readByCheckpoint, readByNumber } from './pages.js';

const ROLE = z.object({ id: z.string().min(1), name: z.string() });
const USER = z.object({ user_id: z.string().min(1) });

const ROLES = { segments: ['roles'], field: 'roles', entry: recordOf(ROLE, 'id') };
const ROLES_OF_USER = z.looseObject({
  roles: z.array(recordOf(ROLE, 'id')),
  total: z.int().nonnegative(),
});

/** The users of each role, without blocked ones. Their subject is the user ID, which is the `sub` of their tokens. */
export async function readMembers(
  api: ManagementApi,
  findBlocked: BlockedUsers,
  groups: readonly string[],
  signal: AbortSignal,
  admitted?: Members,
): Promise<Members> {
  const unreadable = new UnreadablePeopleList(admitted);
  const records = await readByNumber(api, ROLES, signal);
  const invalidNames = new Set(invalidRecords(records).map(({ raw }) => textIn(raw, 'name')));
  // A role without a name may be any of them, so nobody is known to have left one.
  for (const name of invalidNames)
    if (name === undefined) unreadable.add(undefined);
    else if (groups.includes(name)) unreadable.addGroup(name);
  const roles = validRecords(records);
  const listedIn = new Map<string, ReadonlySet<string>>();
  for (const group of new Set(groups)) {
    const subjects = new Set<string>();
    const listed: (string | undefined)[] = [];
    for (const { id } of roles.filter(({ name }) => name === group)) {
      const list = { segments: ['roles', id, 'users'], field: 'users', entry: recordOf(USER, 'user_id') };
      const users = await readByCheckpoint(api, list, signal);
      const invalid = invalidRecords(users).map(({ raw }) => textIn(raw, 'user_id'));
      for (const subject of invalid) unreadable.add(subject);
      listed.push(...invalid, ...validRecords(users).map(({ user_id }) => user_id));
      for (const { user_id } of validRecords(users)) subjects.add(user_id);
    }
    // Nobody is known to have left if a record does not say which role it describes.
    if (!invalidNames.has(group) && !invalidNames.has(undefined))
      await unreadable.confirmLeft(group, listed, (subject) => hasRole(api, subject, group, signal));
    listedIn.set(group, subjects);
  }
  const everybody = new Set([...listedIn.values()].flatMap((subjects) => [...subjects]));
  const blocked = await findBlocked(everybody, admitted, signal);
  const members = new Map(
    [...listedIn].map(([group, subjects]) => [
      group,
      [...subjects].filter((subject) => !blocked.has(subject)).sort(),
    ]),
  );
  return unreadable.addTo(members);
}

/** Whether Auth0 shows the role with the user (auth0.com/docs/api/management/v2/users/get-user-roles). */
async function hasRole(
  api: ManagementApi,
  subject: string,
  role: string,
  signal: AbortSignal,
): Promise<boolean> {
  // A URL resolves these segments.
  if (subject === '.' || subject === '..') return false;
  const list = { segments: ['users', subject, 'roles'], shape: ROLES_OF_USER };
  for (let page = 0, seen = 0; ; page++) {
    const query = { page, per_page: api.pageSize, include_totals: true };
    const found = await api.find({ ...list, query }, signal);
    if (found === undefined) return false;
    const { roles, total } = found;
    if (validRecords(roles).some(({ name }) => name === role)) return true;
    seen += roles.length;
    if (roles.length === 0 || seen >= total) return false;
  }
}
