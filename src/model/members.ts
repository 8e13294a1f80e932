/** Subjects by group. */
export interface Members extends ReadonlyMap<string, readonly string[]> {
  /** What cannot be parsed: it keeps its memberships and gains none. */
  readonly unreadable?: UnreadablePeople;
}

export interface UnreadablePeople {
  readonly subjects: ReadonlySet<string>;
  /** Groups whose own record, or that of a part of it, cannot be parsed: they keep their members and gain none. */
  readonly groups: ReadonlySet<string>;
  /** A record names no person, so a person who is missing is not known to have left. */
  readonly hasUnnamed: boolean;
  /**
   * By group: people whom its list lacks and whom the identity provider, asked for some of them one by one, still calls
   * members.
   */
  readonly unlisted?: ReadonlyMap<string, ReadonlySet<string>>;
}
