import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Clock, isoInstant } from '../../clock.js';
import type { RejectedEvent } from '../../errors.js';
import type { Notifier } from '../../notifier.js';
import { incomplete } from '../read-errors.js';
import { parseShape, parseStored } from '../records.js';
import type { EventPoll, IdentityEvent, PollResult } from '../source.js';
import type { OktaDirectoryOptions } from './directory.js';
import { LOGGED_TYPES } from './event-types.js';
import { toIdentityEvents } from './events.js';
import { parseLogEvents } from './log-event.js';

interface OktaPollOptions extends Pick<OktaDirectoryOptions, 'api' | 'names'> {
  readonly hints?: Pick<Notifier, 'wait'>;
  /** Events per page; 1000, the maximum, by default. */
  readonly pageSize?: number;
  readonly clock: Clock;
}

/** How far the log was read: the path and query of the `next` link, when it was received, and a digest of the types. */
const CURSOR = z.strictObject({
  next: z.string().max(8192),
  at: z.number().int().nonnegative(),
  types: z.string(),
});
type Cursor = z.output<typeof CURSOR>;

/** The log keeps 90 days. A cursor is dropped a little earlier. */
const RETENTION_MS = 89 * 24 * 3600_000;
/** How far back the first read begins, because our clock and Okta's may differ. */
const OVERLAP_MS = 5 * 60_000;
/** Pages per poll. The next poll follows at once. */
const PAGE_LIMIT = 5;

const FILTER = LOGGED_TYPES.map((type) => `eventType eq "${type}"`).join(' or ');
const TYPES = createHash('sha256').update(FILTER).digest('base64url');

/**
 * The System Log, oldest first and without `until`, so that each answer has a `next` link, even the last one
 * (developer.okta.com/docs/reference/system-log-query, polling requests). A cursor that was made for other event types is
 * dropped, like one that Okta does not know any more. An entry that cannot be parsed is refused alone; otherwise every later
 * poll would fail at it. A page that is no list of entries fails the poll.
 */
export function createOktaPoll(options: OktaPollOptions): EventPoll {
  const { api, names, hints, clock } = options;
  const { provider } = api;
  const place = `provider ${provider}, logs`;
  const limit = options.pageSize ?? 1000;

  const addressSince = (ms: number): URL =>
    api.address(['api', 'v1', 'logs'], {
      since: new Date(ms).toISOString(),
      sortOrder: 'ASCENDING',
      filter: FILTER,
      limit,
    });

  /** The address from which the cursor continues; undefined if the cursor cannot be used. */
  const addressOf = (cursor: Cursor | undefined, now: number): URL | undefined => {
    if (cursor?.types !== TYPES || now - cursor.at > RETENTION_MS) return undefined;
    const start = addressSince(now);
    const address = URL.canParse(cursor.next, start.href) ? new URL(cursor.next, start.href) : undefined;
    return address?.origin === start.origin && address.pathname === start.pathname ? address : undefined;
  };

  /** Undefined if Okta refuses the first request. */
  const readFrom = async (first: URL, signal: AbortSignal): Promise<PollResult | undefined> => {
    const context = { provider, kind: 'poll', receivedAt: isoInstant(clock), names } as const;
    const events: IdentityEvent[] = [];
    const rejected: RejectedEvent[] = [];
    let address = first;
    for (let page = 1; ; page++) {
      const answer = await api.send(address, 'okta.logs.read', place, signal);
      if (answer.status === 400 && page === 1) return undefined;
      const { value, next } = api.parse(answer, address, place);
      const found = parseShape(z.array(z.looseObject({})), value, place);
      const parsed = parseLogEvents(found, place);
      rejected.push(...parsed.rejected);
      events.push(...parsed.events.flatMap((event) => toIdentityEvents(event, context)));
      if (next === undefined || next.searchParams.has('until'))
        throw incomplete(place, 'the answer has no link from which to continue');
      if (found.length > 0 && next.href === address.href)
        throw incomplete(place, 'a page leads back to itself');
      address = next;
      const isMore = found.length === limit;
      if (!isMore || page === PAGE_LIMIT)
        return { events, cursor: toCursor(address), gap: rejected.length > 0, rejected, isMore };
    }
  };

  const toCursor = (address: URL): string => {
    const cursor: Cursor = { next: address.pathname + address.search, at: clock.now(), types: TYPES };
    return JSON.stringify(cursor);
  };

  return {
    provider,
    ...(hints && { nextWakeup: hints.wait }),
    async poll(text, signal) {
      const now = clock.now();
      const cursor = parseStored(CURSOR, text);
      const address = addressOf(cursor, now);
      const read = address === undefined ? undefined : await readFrom(address, signal);
      if (read !== undefined) return read;
      // Starts where the dropped cursor was, as far as the log reaches. The complete comparison finds the rest.
      const from = Math.max((cursor?.at ?? now) - OVERLAP_MS, now - RETENTION_MS);
      const restarted = await readFrom(addressSince(from), signal);
      if (restarted === undefined) throw incomplete(place, 'Okta refuses the query (400)', false);
      return { ...restarted, gap: restarted.gap || text !== undefined };
    },
  };
}
