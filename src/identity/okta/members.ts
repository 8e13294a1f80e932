import { z } from 'zod';
import type { Members } from '../directory.js';
import { invalidRecords, recordOf, textIn, UnreadablePeopleList, validRecords } from '../records.js';
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

/**
 * The active people of each group. Their subject is their login: the `sub` of access tokens from a custom authorization
 * server (developer.okta.com/docs/api/openapi/okta-oauth/guides/overview). If an app or a directory imported a group with
 * the same name, the group that was created in Okta counts. If that does not decide it, its members are unknown: otherwise
 * anybody who may name groups elsewhere could choose them.
 */
export async function readOktaMembers(
  api: OktaApi,
  groups: readonly string[],
  signal: AbortSignal,
): Promise<Members> {
  const place = `provider ${api.provider}, groups`;
  const segments = ['api', 'v1', 'groups'];

  const members = new Map<string, readonly string[]>();
  const unreadable = new UnreadablePeopleList();

  /** Undefined if there is no such group, or if it is unknown which one it is. */
  const findGroup = async (name: string): Promise<string | undefined> => {
    const quoted = name.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
    const query = { search: `profile.name eq "${quoted}"`, limit: 200 };
    const entry = recordOf(GROUP, 'id');
    const found = await readList(api, { segments, query, scope: SCOPE, place, entry }, signal);
    const exact = validRecords(found).filter(({ profile }) => profile.name === name);
    const own = exact.filter(({ type }) => type !== 'APP_GROUP');
    const [group, other] = own.length === 0 ? exact : own;
    const mayBeIt = ({ raw }: { readonly raw: unknown }) => (textIn(raw, 'profile', 'name') ?? name) === name;
    if (other === undefined && !invalidRecords(found).some(mayBeIt)) return group?.id;
    unreadable.addGroup(name);
    return undefined;
  };

  for (const name of new Set(groups)) {
    const id = await findGroup(name);
    if (id === undefined) {
      members.set(name, []);
      continue;
    }
    const records = await readList(
      api,
      {
        segments: [...segments, id, 'users'],
        query: { limit: 200 },
        scope: SCOPE,
        place: `${place}/users`,
        entry: recordOf(USER, 'id'),
      },
      signal,
    );
    for (const { raw } of invalidRecords(records)) unreadable.add(textIn(raw, 'profile', 'login'));
    const active = validRecords(records).filter(({ status }) => status === 'ACTIVE');
    members.set(name, [...new Set(active.map(({ profile }) => profile.login))].sort());
  }
  return unreadable.addTo(members);
}
