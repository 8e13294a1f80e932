/** Subjects by group. */
export interface Members extends ReadonlyMap<string, readonly string[]> {
  /** People whose record cannot be parsed: they keep their memberships and gain none. */
  readonly unreadable?: UnreadablePeople;
}

export interface UnreadablePeople {
  readonly subjects: ReadonlySet<string>;
  /** A record names no person, so a person who is missing is not known to have left. */
  readonly hasUnnamed: boolean;
}
