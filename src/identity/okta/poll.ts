import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import type { RejectedEvent } from '../../errors.js';
import type { EventPoll, IdentityEvent, PollResult } from '../source.js';
import type { OktaApi } from './api.js';
import { LOGGED_TYPES } from './event-types.js';
import { toIdentityEvents } from './events.js';
import { parseLogEvent, unreadableEntry } from './log-event.js';
import type { LogWakeup } from './log-wakeup.js';
import type { OktaNames } from './names.js';
import { incomplete, parseShape } from './pages.js';

export interface OktaPollOptions {
  /** Shared with the directory, which closes it. */
  readonly api: OktaApi;
  readonly names: OktaNames;
  readonly news?: LogWakeup;
  /** Events to a page; 1000, the most there is, by default. */
  readonly pageSize?: number;
  readonly clock: Clock;
}

/** How far the log was read: the `next` link as path and query, when it was got, and a digest of the types asked for. */
const CURSOR = z.strictObject({
  next: z.string().max(8192),
  at: z.number().int().nonnegative(),
  types: z.string(),
});
type Cursor = z.output<typeof CURSOR>;

/** The log keeps 90 days; a cursor is given up a little before. */
const RETENTION_MS = 89 * 24 * 3600_000;
/** How far back the first read goes, since our clock and Okta's are not the same. */
const OVERLAP_MS = 5 * 60_000;
/** Pages to one poll; the next, at once, goes on from there. */
const PAGE_LIMIT = 5;

const FILTER = LOGGED_TYPES.map((type) => `eventType eq "${type}"`).join(' or ');
const TYPES = createHash('sha256').update(FILTER).digest('base64url');

/**
 * The System Log, read on for ever: oldest first and without `until`, so that each answer has a `next` link, also the
 * last for now (developer.okta.com/docs/reference/system-log-query, polling requests). A cursor
 * made for other types of events is given up, like one that Okta does not know any more. An entry that cannot be read is
 * refused alone, or it would be met by every poll to come; a page that is no list of entries is no answer at all.
 */
export function createOktaPoll(options: OktaPollOptions): EventPoll {
  const { api, names, news, clock } = options;
  const { provider } = api;
  const place = `provider ${provider}, logs`;
  const limit = options.pageSize ?? 1000;

  const since = (ms: number): URL =>
    api.address(['api', 'v1', 'logs'], {
      since: new Date(ms).toISOString(),
      sortOrder: 'ASCENDING',
      filter: FILTER,
      limit,
    });

  /** Undefined where the cursor is worth nothing. */
  const resume = (
    text: string,
    now: number,
  ): { readonly from: Cursor; readonly address: URL } | undefined => {
    const from = parseCursor(text);
    if (from?.types !== TYPES || now - from.at > RETENTION_MS) return undefined;
    const start = since(now);
    const address = URL.canParse(from.next, start.href) ? new URL(from.next, start.href) : undefined;
    const isOurs = address?.origin === start.origin && address.pathname === start.pathname;
    return address !== undefined && isOurs ? { from, address } : undefined;
  };

  const readOn = async (first: URL, signal: AbortSignal): Promise<PollResult | undefined> => {
    const receivedAt = new Date(clock.now()).toISOString();
    const context = { provider, kind: 'poll', receivedAt, names } as const;
    const events: IdentityEvent[] = [];
    const rejected: RejectedEvent[] = [];
    let address = first;
    for (let page = 1; ; page++) {
      const answer = await api.send(address, 'okta.logs.read', place, signal);
      if (answer.status === 400 && page === 1) return undefined;
      if (answer.status !== 200) throw api.refusal(answer, place);
      const { value, next } = api.parse(answer, address, place);
      const found = parseShape(z.array(z.looseObject({})), value, place);
      for (const each of found) {
        const event = parseLogEvent(each);
        if (event === undefined) rejected.push(unreadableEntry(each, place));
        else events.push(...toIdentityEvents(event, context));
      }
      if (next === undefined || next.searchParams.has('until'))
        throw incomplete(`${place}: the answer does not say where to go on`);
      if (found.length > 0 && next.href === address.href)
        throw incomplete(`${place}: a page leads back to itself`);
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
    ...(news === undefined ? {} : { hasNews: (signal) => news.wait(signal) }),
    async poll(text, signal) {
      const now = clock.now();
      const known = text === undefined ? undefined : resume(text, now);
      const read = known === undefined ? undefined : await readOn(known.address, signal);
      if (read !== undefined) return read;
      // From where the lost cursor was, as far as the log reaches; the comparison of everything finds the rest.
      const lost = text === undefined ? undefined : parseCursor(text)?.at;
      const from = Math.max((lost ?? now) - OVERLAP_MS, now - RETENTION_MS);
      const begun = await readOn(since(from), signal);
      if (begun === undefined) throw incomplete(`${place}: the query is refused`, false);
      return { ...begun, gap: begun.gap || text !== undefined };
    },
  };
}

function parseCursor(text: string): Cursor | undefined {
  try {
    return CURSOR.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
