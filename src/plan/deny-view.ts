import { principalText } from '../model/cause.js';
import type { Deny } from '../model/ruling.js';

/** A deny as `/statusz` and commands show it. */
export function toDenyView({ about, reason, by, since, until, endedAt }: Deny) {
  const instant = (at: number) => new Date(at).toISOString();
  return {
    ...about,
    reason,
    by: principalText(by),
    since: instant(since),
    until: instant(until),
    endedAt: endedAt === undefined ? null : instant(endedAt),
  };
}

export type DenyView = ReturnType<typeof toDenyView>;
