import { z } from 'zod';
import { mapBounded } from '../../limiter.js';
import type { Members } from '../../model/members.js';
import { sampleOf } from '../known-entries.js';
import { incomplete } from '../read-errors.js';
import type { ManagementApi } from './management-api.js';
import { readByNumber } from './pages.js';

const BLOCKED = {
  segments: ['users'],
  query: { q: 'blocked:true', search_engine: 'v3', fields: 'user_id', include_fields: true },
  field: 'users',
  entry: z.object({ user_id: z.string().min(1) }).transform(({ user_id: id }) => ({ id })),
};
const USER = z.looseObject({ blocked: z.boolean().optional() });

/** A search shows at most this many (auth0.com/docs/manage-users/user-search/view-search-results-by-page). */
const SEARCH_LIMIT = 1000;
/** As many are asked for one by one. */
const MAX_ASKED = 20;
const WIDTH = 4;

/** The blocked ones of `listed`. `admitted`: people who have access now, so that none of them is new. */
export type BlockedUsers = (
  listed: ReadonlySet<string>,
  admitted: Members | undefined,
  signal: AbortSignal,
) => Promise<ReadonlySet<string>>;

/**
 * Blocked users are found by a search, which may be some seconds behind, and may lack somebody. That would open access. So
 * up to 20 people whom the search lacks are read alone, which shows every change at once
 * (auth0.com/docs/manage-users/user-search/user-search-best-practices): those who were blocked at the last read, and at the
 * first one those who would gain access. If one of them is blocked, the others of them who were not asked count as blocked
 * until they are.
 */
export function createBlockedUsers(api: ManagementApi): BlockedUsers {
  let known: ReadonlySet<string> | undefined;

  return async (listed, admitted, signal) => {
    const shown = await search(api, signal);
    const open = new Set([...(admitted?.values() ?? [])].flat());
    // Without what Consul says, everybody would be new.
    const isFirst = known === undefined && admitted !== undefined;
    const doubtful = isFirst
      ? [...listed].filter((subject) => !open.has(subject) && !shown.has(subject))
      : [...(known ?? [])].filter((subject) => listed.has(subject) && !shown.has(subject));
    const asked = sampleOf(doubtful, MAX_ASKED);
    const blocked = new Set(shown);
    await mapBounded(asked, { width: WIDTH, signal }, async (subject, stop) => {
      if (await isBlocked(api, subject, stop)) blocked.add(subject);
    });
    if (blocked.size > shown.size)
      for (const subject of doubtful) if (!asked.includes(subject)) blocked.add(subject);
    const unlisted = [...(known ?? [])].filter((subject) => !listed.has(subject));
    known = new Set([...blocked, ...unlisted]);
    return blocked;
  };
}

/**
 * An invalid record refuses this read: any user may be the blocked one. Only the user ID is asked for, and a record without
 * it names nobody, so there is no single person to keep out. Members are blocked by administrators alone, so nobody else can
 * cause this.
 */
async function search(api: ManagementApi, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const users = await readByNumber(api, BLOCKED, signal);
  if (users.length < SEARCH_LIMIT) return new Set(users.map(({ id }) => id));
  const remedy = 'delete blocked users, or remove them from the roles under groups:';
  throw incomplete(
    `provider ${api.provider}, blocked users`,
    `there are more than a search shows; ${remedy}`,
    false,
  );
}

/** What Auth0 shows of the user alone (auth0.com/docs/api/management/v2/users/get-users-by-id). */
async function isBlocked(api: ManagementApi, subject: string, signal: AbortSignal): Promise<boolean> {
  // A URL resolves these segments. Nobody is known to be blocked by such a name.
  if (subject === '.' || subject === '..') return false;
  const query = { fields: 'blocked', include_fields: true };
  const user = await api.find({ segments: ['users', subject], query, shape: USER }, signal);
  return user?.blocked === true;
}
