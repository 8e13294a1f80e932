import { z } from 'zod';
import { SyncError } from '../../errors.js';
import type { Members } from '../../model/members.js';
import type { Logger } from '../../observe.js';
import { invalidRecords, parseShape, recordOf, textIn, validRecords } from '../records.js';
import { UnreadablePeopleList } from '../unreadable-people.js';
import type { OktaApi } from './api.js';
import { readList } from './pages.js';

const GROUP = z.looseObject({
  id: z.string().min(1),
  type: z.string(),
  profile: z.looseObject({ name: z.string() }),
});
const USER = z.looseObject({
  id: z.string().min(1),
  status: z.string(),
  profile: z.looseObject({ login: z.string().min(1) }),
});

const SCOPE = 'okta.groups.read';
const USERS_SCOPE = 'okta.users.read';
const GROUPS = ['api', 'v1', 'groups'];
const USERS = ['api', 'v1', 'users'];
const ANY_GROUP = recordOf(GROUP, 'id');

interface FoundGroup {
  /** Undefined if the search found none. */
  readonly id: string | undefined;
  readonly name: string;
}

interface MembersRead {
  readonly api: OktaApi;
  readonly logger: Logger;
  readonly admitted: Members | undefined;
}

/**
 * The active people of each group. Their subject is their login: the `sub` of access tokens from a custom authorization
 * server (developer.okta.com/docs/api/openapi/okta-oauth/guides/overview). If an app or a directory imported a group with
 * the same name, the group that was created in Okta counts. If that does not decide it, its members are unknown: otherwise
 * anybody who may name groups elsewhere could choose them.
 */
export async function readOktaMembers(
  read: MembersRead,
  groups: readonly string[],
  signal: AbortSignal,
): Promise<Members> {
  const { api } = read;
  const place = `provider ${api.provider}, groups`;

  const members = new Map<string, readonly string[]>();
  const unreadable = new UnreadablePeopleList(read.admitted);
  const isStillMember = createMemberCheck(read, signal);

  /** Undefined if there is no such group; `unknown` if it cannot be said which one it is. */
  const findGroup = async (name: string): Promise<string | 'unknown' | undefined> => {
    const quoted = name.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
    const query = { search: `profile.name eq "${quoted}"`, limit: 200 };
    const found = await readList(
      api,
      { segments: GROUPS, query, scope: SCOPE, place, entry: ANY_GROUP },
      signal,
    );
    const exact = validRecords(found).filter(({ profile }) => profile.name === name);
    const own = exact.filter(({ type }) => type !== 'APP_GROUP');
    const [group, other] = own.length === 0 ? exact : own;
    const mayBeIt = ({ raw }: { readonly raw: unknown }) => (textIn(raw, 'profile', 'name') ?? name) === name;
    return other === undefined && !invalidRecords(found).some(mayBeIt) ? group?.id : 'unknown';
  };

  for (const name of new Set(groups)) {
    const id = await findGroup(name);
    if (id === 'unknown') {
      unreadable.addGroup(name);
      members.set(name, []);
      continue;
    }
    const segments = [...GROUPS, id ?? '', 'users'];
    const list = { segments, query: { limit: 200 }, scope: SCOPE, entry: recordOf(USER, 'id') } as const;
    const records = id === undefined ? [] : await readList(api, { ...list, place: `${place}/users` }, signal);
    const active = validRecords(records).filter(({ status }) => status === 'ACTIVE');
    const invalid = invalidRecords(records).map(({ raw }) => textIn(raw, 'profile', 'login'));
    for (const login of invalid) unreadable.add(login);
    const listed = [...invalid, ...validRecords(records).map(({ profile }) => profile.login)];
    await unreadable.confirmLeft(name, listed, (login) => isStillMember(login, { id, name }));
    members.set(name, [...new Set(active.map(({ profile }) => profile.login))].sort());
  }
  return unreadable.addTo(members);
}

/**
 * For one read. People for whom scopemesh may not ask are believed to have left, so that a right which was not granted yet
 * does not keep anybody in.
 */
function createMemberCheck({ api, logger }: MembersRead, signal: AbortSignal) {
  const { provider } = api;
  let hasWarned = false;
  return async (login: string, group: FoundGroup): Promise<boolean> => {
    try {
      return await isMember(api, login, group, signal);
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'ERR_DIRECTORY_DENIED') throw error;
      if (!hasWarned)
        logger.warn(
          {
            provider,
            error: error.message,
            remedy: `grant the app of scopemesh the scope ${USERS_SCOPE}, and an administrator role that shows all people`,
          },
          'a list of members lacks people who have access, and it cannot be confirmed that they left; the list is believed',
        );
      hasWarned = true;
      return false;
    }
  };
}

/**
 * Whether Okta shows the membership with the person, and the person is active
 * (developer.okta.com/docs/api/openapi/okta-management/management/tags/userresources).
 */
async function isMember(
  api: OktaApi,
  login: string,
  group: FoundGroup,
  signal: AbortSignal,
): Promise<boolean> {
  const place = `provider ${api.provider}, users`;
  // A URL resolves these segments.
  if (login === '.' || login === '..') return false;
  const answer = await api.find(api.address([...USERS, login]), USERS_SCOPE, place, signal);
  if (answer === undefined) return false;
  const { id, status, profile } = parseShape(USER, answer.value, place);
  // Okta also finds a person by the part of a login before the @: this may be another person, or a changed login.
  if (profile.login !== login || status !== 'ACTIVE') return false;
  const list = { segments: [...USERS, id, 'groups'], query: { limit: 200 }, place, entry: ANY_GROUP };
  const held = validRecords(await readList(api, { ...list, scope: USERS_SCOPE }, signal));
  // The search may have shown only the group that an app imported, or none.
  const isUnseen = (each: z.output<typeof GROUP>) =>
    each.profile.name === group.name && (group.id === undefined || each.type !== 'APP_GROUP');
  return held.some((each) => each.id === group.id || isUnseen(each));
}
