import type { Clock } from '../../clock.js';
import { IncompleteRead } from '../../errors.js';
import type { Logger } from '../../observe.js';
import type { EventPoll } from '../source.js';
import { type AdminApi, type AdminApiOptions, createAdminApi } from './admin-api.js';
import { type KeycloakEvent, parseEvent } from './admin-event.js';
import { wrongShape } from './client.js';
import { toIdentityEvent } from './events.js';
import { isObject, objectIn, textsIn } from './json.js';
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

const OVERLAP_MS = 60_000;
/** Events to one poll; the next goes on from there. */
const EVENT_LIMIT = 20_000;

/**
 * The realm's admin events since the last poll. The log must be switched on, or its silence would look like
 * peace. It expires, and can be cleared: if the newest event seen is no longer in it, there is a gap.
 */
export function createKeycloakPoll(options: KeycloakPollOptions): EventPoll {
  const { provider, clock, logger, serviceAccountRoles } = options;
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
    return answer.map((item: unknown): KeycloakEvent => {
      const event = parseEvent(item);
      if (event?.admin === undefined) throw wrongShape(place, 'an entry is no admin event');
      return event;
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
      idOf: (event) => event.id,
    });
  /** The cursor at the end of the log. */
  const readEnd = async (signal: AbortSignal): Promise<Cursor> => {
    const [newest] = await read({ first: 0, max: 1, direction: 'desc' }, signal);
    if (newest === undefined) return { time: 0, ids: [] };
    const from = Math.max(timeOf(newest) - OVERLAP_MS, 0);
    return toCursor(await readSince(from, signal), { time: 0, ids: [] });
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
      const fresh = found.filter((event) => !seen.has(event.id)).sort((a, b) => timeOf(a) - timeOf(b));
      // Cut short without the oldest first, or without getting ahead: only a comparison of everything helps.
      if (found.length >= EVENT_LIMIT && (fresh.length === 0 || !isAscending(found))) {
        return { events: [], cursor: JSON.stringify(await readEnd(signal)), gap: true };
      }
      const gap = cursor.ids.length > 0 && !found.some((event) => timeOf(event) === cursor.time);
      const context = {
        provider,
        kind: 'poll',
        receivedAt,
        serviceAccountRoles,
        ...whichApis,
        names,
      } as const;
      // Behind a gap the log counts as it is now: a database put back in time would show the same gap for ever.
      const next = toCursor(found, gap ? { time: 0, ids: [] } : cursor);
      return {
        // The webhook sends all that is in the log, under the same ids.
        events: (await principals.name(fresh, signal)).map((event) => ({
          ...toIdentityEvent(event, context),
          isSignalled: true,
        })),
        cursor: JSON.stringify(next),
        gap,
      };
    },
  };
}

function toCursor(found: readonly KeycloakEvent[], before: Cursor): Cursor {
  const time = found.reduce((newest, event) => Math.max(newest, timeOf(event)), before.time);
  const recent = found.filter((event) => timeOf(event) >= time - OVERLAP_MS);
  return { time, ids: recent.map((event) => event.id) };
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

function isAscending(events: readonly KeycloakEvent[]): boolean {
  return events.every((event, at) => {
    const before = events[at - 1];
    return before === undefined || timeOf(before) <= timeOf(event);
  });
}

function timeOf(event: KeycloakEvent): number {
  return Date.parse(event.occurredAt);
}
