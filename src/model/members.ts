/** Subjects by group. */
export interface Members extends ReadonlyMap<string, readonly string[]> {
  /** People whose record cannot be parsed: they keep the memberships that stand, and gain none. */
  readonly unreadable?: UnreadablePeople;
}

export interface UnreadablePeople {
  readonly subjects: ReadonlySet<string>;
  /** A record does not say whose it is: nobody who is missing is known to have left. */
  readonly hasUnnamed: boolean;
}
