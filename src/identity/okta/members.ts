import { z } from 'zod';
import type { Members } from '../directory.js';
import { eachAlone, readable, spoilt, textIn, withUnreadable } from '../records.js';
import type { OktaApi } from './api.js';
import { incomplete, readList } from './pages.js';

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
 * Active people by group, known by their login: that is the `sub` of their access tokens from a custom authorization
 * server (developer.okta.com/docs/api/openapi/okta-oauth/guides/overview). Where an app or a directory brought a group
 * of the same name along, the group that was made in Okta is meant; where that does not decide it, the read is refused,
 * since whoever may name groups elsewhere would choose who is a member.
 */
export async function readOktaMembers(
  api: OktaApi,
  groups: readonly string[],
  signal: AbortSignal,
): Promise<Members> {
  const place = `provider ${api.provider}, groups`;
  const segments = ['api', 'v1', 'groups'];

  const findGroup = async (name: string): Promise<string | undefined> => {
    const quoted = name.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
    const query = { search: `profile.name eq "${quoted}"`, limit: 200 };
    const found = await readList(api, { segments, query, scope: SCOPE, place, entry: GROUP }, signal);
    const exact = found.filter(({ profile }) => profile.name === name);
    const own = exact.filter(({ type }) => type !== 'APP_GROUP');
    const [meant, other] = own.length === 0 ? exact : own;
    if (other !== undefined) throw incomplete(`${place}: several groups have a name of the mapping`, false);
    return meant?.id;
  };

  const members = new Map<string, readonly string[]>();
  const subjects = new Set<string>();
  let hasUnnamed = false;
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
        entry: eachAlone(USER, 'id'),
      },
      signal,
    );
    for (const { raw } of spoilt(records)) {
      const login = textIn(raw, 'profile', 'login');
      if (login === undefined) hasUnnamed = true;
      else subjects.add(login);
    }
    const users = readable(records);
    const active = users.filter(({ status }) => status === 'ACTIVE').map(({ profile }) => profile.login);
    members.set(name, [...new Set(active)].sort());
  }
  return withUnreadable(members, { subjects, hasUnnamed });
}
