import type { Clock } from '../../clock.js';
import { IncompleteRead, type RejectedEvent } from '../../errors.js';
import type { Logger } from '../../observe.js';
import { invalidEvent } from '../event-body.js';
import { wrongShape } from '../records.js';
import type { EventPoll } from '../source.js';
import { type AdminApi, type AdminApiOptions, createAdminApi } from './admin-api.js';
import { instantOf, type KeycloakEvent, parseEvent } from './admin-event.js';
import { endsUnknownSession, toIdentityEvent } from './events.js';
import { isInternalId, isObject, objectIn, textAt, textsIn } from './json.js';
import { createKeycloakNames, type KeycloakNames } from './names.js';
import { readPages } from './pages.js';
import { createPrincipals } from './principals.js';

export interface KeycloakPollOptions extends AdminApiOptions {
  readonly serviceAccountRoles: boolean;
  readonly apis?: readonly string[];
  /** Events to a page; 200 by default. */
  readonly pageSize?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly names?: KeycloakNames;
  /** Shared with the directory, which closes it; a poll has no end of its own. */
  readonly api?: AdminApi;
}

/**
 * How far the log was read: the time of its newest event, and the ids of the events within `OVERLAP_MS` before
 * it, which are read again each time, since an event can be committed after a younger one.
 */
interface Cursor {
  /** Milliseconds by Keycloak's clock; 0 if the log was empty. */
  readonly time: number;
  readonly ids: readonly string[];
}

/** What stands in the log; the event is absent where it cannot be read, which must not stop the poll for ever. */
interface Entry {
  readonly id: string;
  /** Milliseconds by Keycloak's clock. */
  readonly time: number;
  readonly event?: KeycloakEvent;
}

const OVERLAP_MS = 60_000;
/** Events to one poll; the next goes on from there. */
const EVENT_LIMIT = 20_000;

/**
 * The realm's admin events since the last poll. The log must be switched on, or its silence would look like
 * peace. It expires, and can be cleared: if the newest event seen is no longer in it, there is a gap.
 */
export function createKeycloakPoll(options: KeycloakPollOptions): EventPoll {
  const { provider, clock, logger, metrics, serviceAccountRoles } = options;
  const api = options.api ?? createAdminApi(options);
  const names = options.names ?? createKeycloakNames();
  const whichApis = options.apis === undefined ? {} : { apis: options.apis };
  const place = `provider ${provider}, realm ${api.issuer.realm}, admin events`;
  const principals = createPrincipals(api);
  let saidDetails = false;

  const requireLog = async (signal: AbortSignal): Promise<void> => {
    const config = await api.get(['events', 'config'], {}, signal);
    if (!isObject(config)) throw wrongShape(place, 'the configuration of events is not an object');
    if (config.adminEventsEnabled !== true) {
      const message = `${place}: the realm keeps none; turn on "Save events" under Realm settings, Events, Admin events settings`;
      throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: false });
    }
    if (config.adminEventsDetailsEnabled !== true && !saidDetails) {
      saidDetails = true;
      logger.warn(
        { provider, remedy: 'turn on "Include representation" in the realm’s admin event settings' },
        'admin events come without details: a deleted client is known by its id only',
      );
    }
  };

  const read = async (query: Record<string, string | number>, signal: AbortSignal) => {
    const answer = await api.get(['admin-events'], query, signal);
    if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
    return answer.map((item: unknown): Entry => {
      const id = isObject(item) ? textAt(item, 'id') : undefined;
      const instant = isObject(item) ? instantOf(item.time) : undefined;
      if (id === undefined || instant === undefined)
        throw wrongShape(place, 'an entry has no id or no time, by which the log is read');
      const event = parseEvent(item);
      return { id, time: Date.parse(instant), ...(event?.admin === undefined ? {} : { event }) };
    });
  };
  // Oldest first, so that events that come while it is read join at the end and shift no page.
  const readSince = (dateFrom: number, signal: AbortSignal) =>
    readPages({
      place,
      pageSize: Math.max(options.pageSize ?? 200, 2),
      limit: EVENT_LIMIT,
      stopAtLimit: true,
      read: (first, max) => read({ dateFrom, direction: 'asc', first, max }, signal),
      idOf: ({ id }) => id,
    });
  /** The cursor at the end of the log. */
  const readEnd = async (signal: AbortSignal): Promise<Cursor> => {
    const [newest] = await read({ first: 0, max: 1, direction: 'desc' }, signal);
    if (newest === undefined) return { time: 0, ids: [] };
    const from = Math.max(newest.time - OVERLAP_MS, 0);
    return toCursor(await readSince(from, signal), { time: 0, ids: [] });
  };

  /** Told here alone, since the log has every event, also those that the webhook brought. */
  const tellUnresolved = (event: KeycloakEvent): void => {
    metrics.count('scopemesh_events_total', { provider, result: 'unresolved' });
    logger.warn(
      {
        provider,
        eventId: event.id,
        remedy: "end all of that person's sessions (Users, the user, Sessions, Logout all sessions)",
      },
      'an administrator ended a session, and the event does not say whose: its Consul tokens live on',
    );
  };

  return {
    provider,
    async poll(text, signal) {
      const receivedAt = new Date(clock.now()).toISOString();
      await requireLog(signal);
      const cursor = text === undefined ? undefined : parseCursor(text);
      if (cursor === undefined) {
        const end = await readEnd(signal);
        return { events: [], cursor: JSON.stringify(end), gap: text !== undefined };
      }
      const found = await readSince(Math.max(cursor.time - OVERLAP_MS, 0), signal);
      const seen = new Set(cursor.ids);
      const fresh = found.filter(({ id }) => !seen.has(id)).sort((a, b) => a.time - b.time);
      // Cut short without the oldest first, or without getting ahead: only a comparison of everything helps.
      if (found.length >= EVENT_LIMIT && (fresh.length === 0 || !isAscending(found))) {
        return { events: [], cursor: JSON.stringify(await readEnd(signal)), gap: true };
      }
      const isLost = cursor.ids.length > 0 && !found.some(({ time }) => time === cursor.time);
      const context = {
        provider,
        kind: 'poll',
        receivedAt,
        serviceAccountRoles,
        ...whichApis,
        names,
      } as const;
      // Behind a gap the log counts as it is now: a database put back in time would show the same gap for ever.
      const next = toCursor(found, isLost ? { time: 0, ids: [] } : cursor);
      const events = fresh.flatMap(({ event }) => event ?? []);
      for (const event of events.filter(endsUnknownSession)) tellUnresolved(event);
      const rejected = fresh.flatMap(({ id, event }) => (event === undefined ? [unreadable(id, place)] : []));
      return {
        // The webhook sends all that is in the log, under the same ids.
        events: (await principals.name(events, signal)).map((event) => ({
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

function unreadable(id: string, place: string): RejectedEvent {
  return invalidEvent(
    `${place}: the entry ${isInternalId(id) ? id : 'of an impossible id'} is none that Keycloak writes and was left out; look it up under Events, Admin events, and if it ended somebody's sessions, end them once more`,
  );
}

function toCursor(found: readonly Entry[], before: Cursor): Cursor {
  const time = found.reduce((newest, entry) => Math.max(newest, entry.time), before.time);
  const recent = found.filter((entry) => entry.time >= time - OVERLAP_MS);
  return { time, ids: recent.map(({ id }) => id) };
}

/** Undefined for a text of another making: the log is then taken up anew, with a gap. */
function parseCursor(text: string): Cursor | undefined {
  const value = objectIn(text);
  const ids = textsIn(value?.ids);
  const time = value?.time;
  if (ids === undefined || typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0)
    return undefined;
  return { time, ids };
}

function isAscending(entries: readonly Entry[]): boolean {
  return entries.every((entry, at) => {
    const before = entries[at - 1];
    return before === undefined || before.time <= entry.time;
  });
}
