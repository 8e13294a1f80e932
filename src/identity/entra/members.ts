import { z } from 'zod';
import { SyncError } from '../../errors.js';
import type { Members } from '../directory.js';
import type { GraphApi } from './graph-api.js';
import { parse, readCollection } from './pages.js';
import { guid } from './principal.js';
import { isGuid } from './tenant.js';

const GROUP = z.object({ visibility: z.string().nullish() });
const MEMBER = z.object({
  id: guid,
  '@odata.type': z.string(),
  accountEnabled: z.boolean().nullish(),
});

/**
 * The enabled people in each group, through groups in groups, by object id: the claim `oid` of their tokens, since `sub`
 * differs for every client (https://learn.microsoft.com/graph/api/group-list-transitivemembers). A group is known by its
 * object id alone, which is what the claim `groups` holds: display names are not unique.
 */
export async function readMembersOf(
  api: GraphApi,
  groups: readonly string[],
  pageSize: number,
  signal: AbortSignal,
): Promise<Members> {
  signal.throwIfAborted();
  const members = new Map<string, readonly string[]>();
  for (const group of new Set(groups)) members.set(group, await readGroup(api, group, pageSize, signal));
  return members;
}

async function readGroup(
  api: GraphApi,
  group: string,
  pageSize: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!isGuid(group)) return [];
  const what = 'group members';
  const found = await api.find(`/groups/${group}`, { $select: 'id,visibility' }, what, signal);
  if (found === undefined) return [];
  const { visibility } = parse(GROUP, found, api.placeOf(what));
  const query = { $select: 'id,accountEnabled', $top: pageSize };
  const collection = { path: `/groups/${group}/transitiveMembers`, query, what };
  const members = await readCollection(api, collection, MEMBER, signal);
  // Without a permission of its own such a group looks empty.
  if (visibility === 'HiddenMembership' && members.length === 0) {
    const message = `${api.placeOf(what)}: a group with hidden members shows none; grant the application permission Member.Read.Hidden`;
    throw new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false });
  }
  const people = members.filter((member) => member['@odata.type'] === '#microsoft.graph.user');
  // Graph shows the type and id alone of members that may not be read.
  if (people.some(({ accountEnabled }) => accountEnabled == null)) {
    const message = `${api.placeOf(what)}: whether accounts are enabled is not shown; grant the application permission User.Read.All`;
    throw new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false });
  }
  return people.flatMap(({ id, accountEnabled }) => (accountEnabled === true ? [id] : []));
}
