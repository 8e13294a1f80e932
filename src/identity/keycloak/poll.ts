import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { isoInstant } from '../../clock.js';
import { NoLog, type RejectedEvent } from '../../errors.js';
import { isRecord } from '../../model/is-record.js';
import { digestOf } from '../digest.js';
import { invalidEvent } from '../event-body.js';
import { wrongShape } from '../read-errors.js';
import { parseStored, textIn } from '../records.js';
import type { EventPoll } from '../source.js';
import { saveEvents } from './access-checks.js';
import type { AdminApi } from './admin-api.js';
import { instantOf, type KeycloakEvent, parseEvent } from './admin-event.js';
import type { KeycloakDirectoryOptions } from './directory.js';
import { endsUnknownSession, toIdentityEvent } from './events.js';
import { isInternalId } from './json.js';
import { readPages } from './pages.js';

/**
 * How far the log was read: the time of its newest event in milliseconds (0 if the log was empty), and the IDs of the events
 * within `OVERLAP_MS` before it. Those are read again each time, because an event can be committed after a younger one.
 */
const CURSOR = z.object({ time: z.int().nonnegative(), ids: z.array(z.string()) });
type Cursor = z.output<typeof CURSOR>;

/** A log entry. The event is absent if it cannot be parsed: one bad entry must not stop the poll forever. */
interface Entry {
  /** A digest if the entry has no ID. */
  readonly id: string;
  /** Milliseconds by Keycloak's clock; of an entry without a time, that of the entry before it. */
  readonly time: number;
  readonly event?: KeycloakEvent;
}

type ReadEntry = Omit<Entry, 'time'> & { readonly time: number | undefined };

const OVERLAP_MS = 60_000;
/** Events per poll; the next poll continues after them. */
const EVENT_LIMIT = 20_000;

/** So many are read to find the newest entry with a time. */
const LAST_ENTRIES = 20;

const EMPTY: Cursor = { time: 0, ids: [] };

/**
 * The realm's admin events since the last poll. The log must be switched on; otherwise it would look as if nothing changed.
 * It expires, and somebody can clear it: if the newest known event is no longer in it, there is a gap.
 */
export function createKeycloakPoll(options: KeycloakDirectoryOptions): EventPoll {
  const { provider, clock, logger, metrics, serviceAccountRoles, apis, api, names } = options;
  const place = api.placeOf('admin events');
  const withPrincipals = createPrincipals(api);
  let warnedOfDetails = false;

  const requireLog = async (signal: AbortSignal): Promise<void> => {
    const config = await api.get(['events', 'config'], {}, signal);
    if (!isRecord(config)) throw wrongShape(place, 'the configuration of events is not an object');
    if (config.adminEventsEnabled !== true) {
      const message = `${place}: the realm does not save them; ${saveEvents(api.issuer.realm)}`;
      throw new NoLog('ERR_DIRECTORY_INCOMPLETE', message, { retriable: false });
    }
    if (config.adminEventsDetailsEnabled !== true && !warnedOfDetails) {
      warnedOfDetails = true;
      logger.warn(
        { provider, remedy: 'turn on "Include representation" in the realm’s admin event settings' },
        'admin events have no details: a deleted client is known only by its internal ID',
      );
    }
  };

  const read = async (query: Record<string, string | number>, signal: AbortSignal) => {
    const answer = await api.list(['admin-events'], query, signal);
    return answer.map((item): ReadEntry => {
      const id = textIn(item, 'id');
      const instant = isRecord(item) ? instantOf(item.time) : undefined;
      const time = instant === undefined ? undefined : Date.parse(instant);
      if (id === undefined || time === undefined) return { id: id ?? `? ${digestOf(item)}`, time };
      const event = parseEvent(item);
      return { id, time, ...(event?.admin === undefined ? {} : { event }) };
    });
  };
  const requireTime = (entries: readonly ReadEntry[]): void => {
    if (entries.length > 0 && entries.every(({ time }) => time === undefined))
      throw wrongShape(place, 'no entry has a time, which the poll needs to read on');
  };
  // Oldest first: events that arrive during the read are added at the end and shift no page.
  const readSince = async (dateFrom: number, signal: AbortSignal): Promise<readonly Entry[]> => {
    const found = await readPages({
      place,
      pageSize: Math.max(options.pageSize ?? 200, 2),
      limit: EVENT_LIMIT,
      stopAtLimit: true,
      read: (first, max) => read({ dateFrom, direction: 'asc', first, max }, signal),
      idOf: ({ id }) => id,
    });
    requireTime(found);
    let before = dateFrom;
    return found.map((entry) => {
      before = entry.time ?? before;
      return { ...entry, time: before };
    });
  };
  /** The cursor at the end of the log. */
  const readEnd = async (signal: AbortSignal): Promise<Cursor> => {
    const last = await read({ first: 0, max: LAST_ENTRIES, direction: 'desc' }, signal);
    requireTime(last);
    const newest = last.find(({ time }) => time !== undefined);
    if (newest?.time === undefined) return EMPTY;
    const from = Math.max(newest.time - OVERLAP_MS, 0);
    return toCursor(await readSince(from, signal), EMPTY);
  };

  /** Only the poll reports it: the log has all events, and the webhook delivers the same ones. */
  const reportUnresolved = (event: KeycloakEvent): void => {
    metrics.count('scopemesh_events_total', { provider, result: 'unresolved' });
    logger.warn(
      {
        provider,
        eventId: event.id,
        remedy: "end all of that person's sessions (Users, the user, Sessions, Logout all sessions)",
      },
      'an administrator ended a session, but the event does not name its person: the Consul tokens stay valid',
    );
  };

  return {
    provider,
    async poll(text, signal) {
      const receivedAt = isoInstant(clock);
      await requireLog(signal);
      const cursor = parseStored(CURSOR, text);
      if (cursor === undefined) {
        const end = await readEnd(signal);
        return { events: [], cursor: JSON.stringify(end), gap: text !== undefined };
      }
      const found = await readSince(Math.max(cursor.time - OVERLAP_MS, 0), signal);
      const seen = new Set(cursor.ids);
      const fresh = found.filter(({ id }) => !seen.has(id)).sort((a, b) => a.time - b.time);
      // At the limit, without new events or not oldest first, only a complete comparison helps.
      if (found.length >= EVENT_LIMIT && (fresh.length === 0 || !isAscending(found))) {
        return { events: [], cursor: JSON.stringify(await readEnd(signal)), gap: true };
      }
      const isLost = cursor.ids.length > 0 && !found.some(({ time }) => time === cursor.time);
      const context = { provider, kind: 'poll', receivedAt, serviceAccountRoles, apis, names } as const;
      // After a gap the log counts as it is now. A database that was restored would show the same gap at every poll.
      const next = toCursor(found, isLost ? EMPTY : cursor);
      const events = fresh.flatMap(({ event }) => event ?? []);
      for (const event of events.filter(endsUnknownSession)) reportUnresolved(event);
      const rejected = fresh.flatMap(({ id, event }) =>
        event === undefined ? [invalidEntry(id, place)] : [],
      );
      return {
        // The webhook delivers all log entries, under the same IDs.
        events: (await withPrincipals(events, signal)).map((event) => ({
          ...toIdentityEvent(event, context),
          isSignalled: true,
        })),
        rejected,
        cursor: JSON.stringify(next),
        gap: isLost || rejected.length > 0,
      };
    },
  };
}

function invalidEntry(id: string, place: string): RejectedEvent {
  const entry = `entry ${isInternalId(id) ? id : 'with an impossible id'}`;
  const remedy = 'look it up under Events, Admin events; if it ended sessions, end them again';
  return invalidEvent(`${place}: ${entry} does not have Keycloak's form and is skipped; ${remedy}`);
}

function toCursor(found: readonly Entry[], before: Cursor): Cursor {
  const time = found.reduce((newest, entry) => Math.max(newest, entry.time), before.time);
  const recent = found.filter((entry) => entry.time >= time - OVERLAP_MS);
  return { time, ids: recent.map(({ id }) => id) };
}

function isAscending(entries: readonly Entry[]): boolean {
  return entries.every((entry, at) => {
    const before = entries[at - 1];
    return before === undefined || before.time <= entry.time;
  });
}

/** The administrators of one realm are few. */
const MAX_KNOWN = 1_000;
/** User names that one poll may look up. */
const MAX_LOOKUPS = 10;

/**
 * Adds user names to events from the log, which has only user IDs. A webhook states the names. Each user is looked up once. A
 * user of another realm, or one that the token may not see, keeps the ID as name.
 */
function createPrincipals(api: AdminApi) {
  const known = new LRUCache<string, string>({ max: MAX_KNOWN });

  const read = async (id: string, signal: AbortSignal): Promise<string> => {
    const found = await api.peek(['users'], { search: `id:${id}`, briefRepresentation: true }, signal);
    const user: unknown = Array.isArray(found) ? found[0] : undefined;
    return (textIn(user, 'id') === id ? textIn(user, 'username') : undefined) ?? id;
  };
  return async (events: readonly KeycloakEvent[], signal: AbortSignal): Promise<readonly KeycloakEvent[]> => {
    const ids = new Set(events.flatMap(({ userId }) => userId ?? []));
    const missing = [...ids].filter((id) => !known.has(id) && isInternalId(id)).slice(0, MAX_LOOKUPS);
    for (const id of missing) known.set(id, await read(id, signal));
    return events.map((event) => {
      const name = event.userId === undefined ? undefined : known.get(event.userId);
      return name === undefined || event.principal === undefined
        ? event
        : { ...event, principal: { ...event.principal, id: name } };
    });
  };
}
