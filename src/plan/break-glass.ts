import type { BreakGlass } from '../model/break-glass.js';
import { isSamePerson, principalText } from '../model/cause.js';
import type { Access, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { union } from './access.js';
import { accessOf } from './openings.js';

/** How long a grant waits for its second person. */
const REQUEST_TTL_MS = 3_600_000;
/** So far apart the clocks of two leaders may be. */
export const CLOCKS_APART_MS = 60_000;

export const BREAK_GLASS_STATES = ['asked', 'open', 'ended'] as const;
type BreakGlassState = (typeof BREAK_GLASS_STATES)[number];

/**
 * | grant | state |
 * |---|---|
 * | it has ended, or `guards.breakGlass` is off, or excludes a service of it | `ended` |
 * | it begins in the future: a clock was set back, so it is unknown how long it was open | `ended` |
 * | a second person is missing, for an hour at most | `asked` |
 * | its time is over | `ended` |
 * | otherwise | `open` |
 */
export function breakGlassState(
  glass: BreakGlass,
  { breakGlass, approvers }: Pick<Mapping, 'breakGlass' | 'approvers'>,
  now: number,
): BreakGlassState {
  if (glass.endedAt !== undefined || breakGlass === undefined) return 'ended';
  if (breakGlass.never.some((name) => name === glass.source.toLowerCase() || name === glass.destination))
    return 'ended';
  if (isAhead(glass, now)) return 'ended';
  if (glass.openedAt === undefined) return now - glass.askedAt < REQUEST_TTL_MS ? 'asked' : 'ended';
  if (approvers > 1 && (glass.approvedBy === undefined || isSamePerson(glass.askedBy, glass.approvedBy)))
    return 'ended';
  return now < endOf(glass, breakGlass) ? 'open' : 'ended';
}

/** Whether the grant was made, opened or reminded of in the future of this clock. */
export function isAhead({ askedAt, openedAt = 0, remindedAt = 0 }: BreakGlass, now: number): boolean {
  return Math.max(askedAt, openedAt, remindedAt) - now > CLOCKS_APART_MS;
}

/** The instant at which an open grant ends, within the longest time that the configuration allows now. */
export function endOf(
  { openedAt = 0, forMs }: BreakGlass,
  { longestMs }: { readonly longestMs: number },
): number {
  return openedAt + Math.min(forMs, longestMs);
}

/** What the grant opens; undefined if its path is not plain. */
export function breakGlassAccess({
  methods,
  path,
}: Pick<BreakGlass, 'methods' | 'path'>): Access | undefined {
  return accessOf({
    scope: '',
    userRequired: false,
    ...(methods === undefined ? {} : { methods }),
    ...(path === undefined ? {} : { path }),
  });
}

/** What all of them open together. */
export function unionOf(grants: readonly BreakGlass[]): Access | undefined {
  return grants.reduce<Access | undefined>((sum, each) => union(sum, breakGlassAccess(each)), undefined);
}

export function isOfEdge(
  { source, destination, partition, namespace }: BreakGlass,
  from: ServiceName,
  to: ServiceName,
): boolean {
  return (
    source === from.name &&
    destination === to.name.toLowerCase() &&
    [from, to].every((each) => each.partition === partition && each.namespace === namespace)
  );
}

/** In the records of edges, beside the scopes: no scope has this form (`toGrantText`). */
export function toBreakGlassText(id: string): string {
  return JSON.stringify(['break-glass', id, '']);
}

/** The reverse of `toBreakGlassText`; undefined for a scope. */
export function parseBreakGlassText(text: string): string | undefined {
  return /^\["break-glass","([0-9A-Z]{26})",""\]$/.exec(text)?.[1];
}

/** Why an edge is open, for a person. */
export function breakGlassText({ id, reason, askedBy, approvedBy }: BreakGlass, until: number): string {
  const who =
    approvedBy === undefined
      ? principalText(askedBy)
      : `${principalText(askedBy)} asked, ${principalText(approvedBy)} approved`;
  return `break-glass grant ${id} until ${new Date(until).toISOString()} (${who}): ${reason}`;
}
