import { z } from 'zod';
import { IncompleteRead } from '../../errors.js';
import type { Members } from '../directory.js';
import type { ManagementApi } from './management-api.js';
import { readByCheckpoint, readByNumber } from './pages.js';

const ROLE = z.object({ id: z.string().min(1), name: z.string() });
const USER = z.object({ user_id: z.string().min(1) });

/** A search shows no more than this many (auth0.com/docs/manage-users/user-search/view-search-results-by-page). */
const SEARCH_LIMIT = 1000;

/**
 * Users by role, without those who are blocked: their ids are the `sub` of their tokens. Blocked users are found by a
 * search, which may be some seconds behind.
 */
export async function readMembers(
  api: ManagementApi,
  groups: readonly string[],
  signal: AbortSignal,
): Promise<Members> {
  const roles = await readByNumber(
    api,
    { segments: ['roles'], field: 'roles', entry: ROLE, idOf: ({ id }) => id },
    signal,
  );
  const blocked = await readBlocked(api, signal);
  const members = new Map<string, readonly string[]>();
  for (const group of new Set(groups)) {
    const subjects = new Set<string>();
    for (const { id } of roles.filter(({ name }) => name === group)) {
      const users = await readByCheckpoint(
        api,
        { segments: ['roles', id, 'users'], field: 'users', entry: USER, idOf: (user) => user.user_id },
        signal,
      );
      for (const { user_id } of users) if (!blocked.has(user_id)) subjects.add(user_id);
    }
    members.set(group, [...subjects].sort());
  }
  return members;
}

async function readBlocked(api: ManagementApi, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const query = { q: 'blocked:true', search_engine: 'v3', fields: 'user_id', include_fields: true };
  const users = await readByNumber(
    api,
    { segments: ['users'], query, field: 'users', entry: USER, idOf: (user) => user.user_id },
    signal,
  );
  if (users.length < SEARCH_LIMIT) return new Set(users.map((user) => user.user_id));
  const message = `provider ${api.provider}: more users are blocked than a search shows; delete blocked users, or take them out of the roles that groups: names`;
  throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: false });
}
