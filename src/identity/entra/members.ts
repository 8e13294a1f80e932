import { z } from 'zod';
import type { Members } from '../../model/members.js';
import { safeParse } from '../../safe-parse.js';
import { denied } from '../read-errors.js';
import { invalidRecords, parseShape, recordOf, textIn, validRecords } from '../records.js';
import { UnreadablePeopleList } from '../unreadable-people.js';
import { type GraphApi, isNotFound } from './graph-api.js';
import { PAGE_SIZE, readCollection } from './pages.js';
import { guid } from './principal.js';
import { isGuid } from './tenant.js';

const GROUP = z.object({ visibility: z.string().nullish() });
const MEMBER = z.object({
  id: guid,
  '@odata.type': z.string(),
  accountEnabled: z.boolean().nullish(),
});
const CHECKED = z.object({ value: z.array(z.string()) });
const USER_TYPE = '#microsoft.graph.user';

/**
 * The enabled people in each group, through nested groups. Their subject is their object ID: the claim `oid` of their
 * tokens, because `sub` differs for every client (https://learn.microsoft.com/graph/api/group-list-transitivemembers). A
 * group is named by its object ID, which is what the claim `groups` contains, because display names are not unique.
 */
export async function readMembersOf(
  api: GraphApi,
  groups: readonly string[],
  admitted: Members | undefined,
  signal: AbortSignal,
): Promise<Members> {
  signal.throwIfAborted();
  const unreadable = new UnreadablePeopleList(admitted);
  const members = new Map<string, readonly string[]>();
  for (const group of new Set(groups)) {
    members.set(group, isGuid(group) ? await readGroup(api, group, unreadable, signal) : []);
  }
  return unreadable.addTo(members);
}

async function readGroup(
  api: GraphApi,
  group: string,
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
  const query = { $select: 'id,accountEnabled', $top: PAGE_SIZE };
  const collection = { path: `/groups/${group}/transitiveMembers`, query, what };
  const records = await readCollection(api, collection, recordOf(MEMBER, 'id'), signal);
  // Without a permission of its own such a group looks empty.
  if (parsed.data.visibility === 'HiddenMembership' && records.length === 0)
    throw denied(
      place,
      'a group with hidden members shows none; grant the application permission Member.Read.Hidden',
    );
  const invalid = invalidRecords(records).flatMap(({ raw }) => {
    if ((textIn(raw, '@odata.type') ?? USER_TYPE) !== USER_TYPE) return [];
    const id = textIn(raw, 'id');
    return [id !== undefined && isGuid(id) ? id : undefined];
  });
  for (const id of invalid) unreadable.add(id);
  const listed = [...invalid, ...records.map(({ id }) => id)];
  await unreadable.confirmLeft(group, listed, (person) => isMember(api, person, group, signal));
  const people = validRecords(records).filter((member) => member['@odata.type'] === USER_TYPE);
  // Graph shows only the type and the ID of members that the token may not read.
  if (people.length > 0 && people.every(({ accountEnabled }) => accountEnabled == null)) {
    const remedy = 'grant the application permission User.Read.All';
    throw denied(place, `the answer does not say whether accounts are enabled; ${remedy}`);
  }
  for (const { id, accountEnabled } of people) if (accountEnabled == null) unreadable.add(id);
  return people.flatMap(({ id, accountEnabled }) => (accountEnabled === true ? [id] : []));
}

/**
 * Graph's own check, through nested groups (https://learn.microsoft.com/graph/api/user-checkmembergroups). It needs the
 * permissions that the members need.
 */
async function isMember(api: GraphApi, person: string, group: string, signal: AbortSignal): Promise<boolean> {
  if (!isGuid(person)) return false;
  const place = api.placeOf('memberships of a person');
  const answer = await api.send(
    api.addressOf(`/users/${person}/checkMemberGroups`, {}),
    place,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ groupIds: [group] }),
    },
    signal,
  );
  if (isNotFound(answer)) return false;
  const { value } = parseShape(CHECKED, api.json(answer, place), place);
  return value.some((each) => each.toLowerCase() === group.toLowerCase());
}
