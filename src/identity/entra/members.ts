import { z } from 'zod';
import { safeParse } from '../../safe-parse.js';
import type { Members } from '../directory.js';
import { denied } from '../read-errors.js';
import { invalidRecords, recordOf, textIn, UnreadablePeopleList, validRecords } from '../records.js';
import type { GraphApi } from './graph-api.js';
import { readCollection } from './pages.js';
import { guid } from './principal.js';
import { isGuid } from './tenant.js';

const GROUP = z.object({ visibility: z.string().nullish() });
const MEMBER = z.object({
  id: guid,
  '@odata.type': z.string(),
  accountEnabled: z.boolean().nullish(),
});
const USER_TYPE = '#microsoft.graph.user';

/**
 * The enabled people in each group, through nested groups. Their subject is their object ID: the claim `oid` of their
 * tokens, because `sub` differs for every client (https://learn.microsoft.com/graph/api/group-list-transitivemembers). A
 * group is named by its object ID, which is what the claim `groups` contains, because display names are not unique.
 */
export async function readMembersOf(
  api: GraphApi,
  groups: readonly string[],
  pageSize: number,
  signal: AbortSignal,
): Promise<Members> {
  signal.throwIfAborted();
  const unreadable = new UnreadablePeopleList();
  const members = new Map<string, readonly string[]>();
  for (const group of new Set(groups))
    members.set(group, isGuid(group) ? await readGroup(api, group, pageSize, unreadable, signal) : []);
  return unreadable.addTo(members);
}

async function readGroup(
  api: GraphApi,
  group: string,
  pageSize: number,
  unreadable: UnreadablePeopleList,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const what = 'group members';
  const place = api.placeOf(what);
  const found = await api.find(`/groups/${group}`, { $select: 'id,visibility' }, what, signal);
  if (found === undefined) return [];
  const parsed = safeParse(GROUP, found);
  if (!parsed.success) {
    unreadable.addGroup(group);
    return [];
  }
  const query = { $select: 'id,accountEnabled', $top: pageSize };
  const collection = { path: `/groups/${group}/transitiveMembers`, query, what };
  const records = await readCollection(api, collection, recordOf(MEMBER, 'id'), signal);
  // Without a permission of its own such a group looks empty.
  if (parsed.data.visibility === 'HiddenMembership' && records.length === 0)
    throw denied(
      place,
      'a group with hidden members shows none; grant the application permission Member.Read.Hidden',
    );
  for (const { raw } of invalidRecords(records)) {
    const id = textIn(raw, 'id');
    if ((textIn(raw, '@odata.type') ?? USER_TYPE) === USER_TYPE)
      unreadable.add(id !== undefined && isGuid(id) ? id : undefined);
  }
  const people = validRecords(records).filter((member) => member['@odata.type'] === USER_TYPE);
  // Graph shows only the type and the ID of members that the token may not read.
  if (people.length > 0 && people.every(({ accountEnabled }) => accountEnabled == null)) {
    const remedy = 'grant the application permission User.Read.All';
    throw denied(place, `the answer does not say whether accounts are enabled; ${remedy}`);
  }
  for (const { id, accountEnabled } of people) if (accountEnabled == null) unreadable.add(id);
  return people.flatMap(({ id, accountEnabled }) => (accountEnabled === true ? [id] : []));
}
