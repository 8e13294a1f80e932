import type { Members, UnreadablePeople } from '../model/members.js';
import { sampleOf } from './known-entries.js';
import { WrongShape } from './read-errors.js';

/** Collects the people and groups that a read of members cannot judge. `admitted`: who has access by each group. */
export class UnreadablePeopleList {
  readonly #admitted: Members | undefined;
  readonly #subjects = new Set<string>();
  readonly #groups = new Set<string>();
  readonly #unlisted = new Map<string, ReadonlySet<string>>();
  #hasUnnamed = false;

  constructor(admitted: Members | undefined) {
    this.#admitted = admitted;
  }

  /** `subject` is undefined if the record does not say whom it describes. */
  add(subject: string | undefined): void {
    if (subject === undefined) this.#hasUnnamed = true;
    else this.#subjects.add(subject);
  }

  /** `group`: the name under `groups:` whose members are unknown. */
  addGroup(group: string): void {
    this.#groups.add(group);
  }

  /**
   * Asks the identity provider for at most five of the admitted people whom the list of a group lacks, one by one. Those
   * who are still members stay in the group, and so do all who were not asked, because then the list is not believed. Other
   * groups are not affected. `listed` has undefined for a record that does not say whom it describes.
   */
  async confirmLeft(
    group: string,
    listed: readonly (string | undefined)[],
    isMember: (subject: string) => Promise<boolean>,
  ): Promise<void> {
    // A person without an ID may be any of the missing ones, who then keep their membership.
    if (listed.includes(undefined)) return;
    const shown = new Set(listed);
    const missing = (this.#admitted?.get(group) ?? []).filter((subject) => !shown.has(subject));
    const asked = sampleOf(missing);
    const left = new Set<string>();
    for (const subject of asked) if (!(await isMember(subject).catch(believeMember))) left.add(subject);
    const stay = new Set(missing.filter((subject) => !left.has(subject)));
    if (stay.size > 0 && left.size < asked.length) this.#unlisted.set(group, stay);
  }

  /** The members, with what is unreadable if there is any. */
  addTo(members: ReadonlyMap<string, readonly string[]>): Members {
    return withUnreadable(members, {
      subjects: this.#subjects,
      groups: this.#groups,
      hasUnnamed: this.#hasUnnamed,
      ...(this.#unlisted.size > 0 && { unlisted: this.#unlisted }),
    });
  }
}

/** An answer about one person that cannot be parsed must not stop the others. */
function believeMember(error: unknown): true {
  if (!(error instanceof WrongShape)) throw error;
  return true;
}

export function withUnreadable(
  members: ReadonlyMap<string, readonly string[]>,
  unreadable: UnreadablePeople | undefined,
): Members {
  const isAny =
    unreadable !== undefined &&
    (unreadable.hasUnnamed ||
      unreadable.subjects.size + unreadable.groups.size + (unreadable.unlisted?.size ?? 0) > 0);
  return isAny ? Object.assign(new Map(members), { unreadable }) : members;
}
