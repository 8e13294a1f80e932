import type { Members } from '../model/members.js';
import { sampleOf } from './known-entries.js';
import { WrongShape } from './read-errors.js';
import type { UnreadablePeopleList } from './records.js';

/** The list of a group's members, and who has access by the group. */
interface MemberList {
  readonly group: string;
  /** Undefined for a record that does not say whom it describes. */
  readonly listed: readonly (string | undefined)[];
  readonly admitted: Members | undefined;
  readonly unreadable: UnreadablePeopleList;
}

/**
 * Asks the identity provider for at most five of the admitted people whom the list lacks, one by one. Those who are still
 * members are unlisted, and so are all who were not asked, because then the list is not believed. Other groups are not
 * affected.
 */
export async function confirmLeft(
  { group, listed, admitted, unreadable }: MemberList,
  isMember: (subject: string) => Promise<boolean>,
): Promise<void> {
  // A person without an ID may be any of the missing ones, who then keep their membership.
  if (listed.includes(undefined)) return;
  const shown = new Set(listed);
  const missing = (admitted?.get(group) ?? []).filter((subject) => !shown.has(subject));
  const asked = sampleOf(missing);
  const left = new Set<string>();
  for (const subject of asked) if (!(await isMember(subject).catch(believeMember))) left.add(subject);
  if (left.size < asked.length)
    unreadable.addUnlisted(
      group,
      missing.filter((subject) => !left.has(subject)),
    );
}

/** An answer about one person that cannot be parsed must not stop the others. */
function believeMember(error: unknown): true {
  if (!(error instanceof WrongShape)) throw error;
  return true;
}
