import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { IncompleteRead, RejectedEvent, SyncError } from '../../errors.js';
import type { Logger, Metrics } from '../../observe.js';
import { parseJson } from '../http-client.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import type { EventStream } from './event-stream.js';
import { endsUnknownSession, toIdentityEvents } from './events.js';
import { type LogEntry, parseLogEntry } from './log-entry.js';
import type { ManagementApi } from './management-api.js';
import type { Auth0Names } from './names.js';

export interface Auth0PollOptions {
  readonly api: ManagementApi;
  readonly names: Auth0Names;
  /** Where the tenant has one. */
  readonly stream?: EventStream;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** How far the log and the event stream were read. */
const CURSOR = z.object({
  /** The id of the last entry; empty where the log had none. */
  log: z.string().max(200),
  /** Milliseconds since the epoch of the poll that wrote it. */
  at: z.number(),
  /** Of the event stream. */
  offset: z.string().max(8192).optional(),
  /** When the event stream was last read, while it has given no offset. */
  streamAt: z.number().optional(),
});
type Cursor = z.output<typeof CURSOR>;

const ENTRIES = z.array(z.unknown());
/** What the log is read on from; also of an entry that says nothing else in a form that is known here. */
const ID = z.object({ log_id: z.string().min(1).max(200) });
/** Pages to one poll; the next goes on from there. */
const MOST_PAGES = 50;
/** The shortest time for which a tenant keeps its log is a day (auth0.com/docs/deploy-monitor/logs/log-data-retention). */
const KEPT_MS = 24 * 3600_000;
/** How far back the event stream is read without an offset, since our clock and Auth0's are not the same. */
const OVERLAP_MS = 5 * 60_000;

/**
 * The tenant's log since the last poll, by checkpoint
 * (auth0.com/docs/deploy-monitor/logs/retrieve-log-events-using-mgmt-api). An entry that expired before it was read
 * shows in nothing but time, so that a longer pause than a log is kept is a gap. So is an entry that cannot be read: it is
 * passed by, and told as refused.
 */
export function createAuth0Poll(options: Auth0PollOptions): EventPoll {
  const { api, names, stream, clock, logger, metrics } = options;
  const { provider } = api;
  const place = `provider ${provider}, logs`;

  const readNewest = async (signal: AbortSignal): Promise<string> => {
    const query = { sort: 'date:-1', per_page: 1 };
    const { value } = await api.get({ segments: ['logs'], query, shape: ENTRIES }, signal);
    return lastId(value) ?? '';
  };
  const wrongForm = (what: string) =>
    new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: ${what} has another form than documented`, {
      retriable: true,
    });
  /** Undefined for none; without the id of any, nobody knows where to go on. */
  const lastId = (values: readonly unknown[]): string | undefined => {
    const last = values.map(idOf).findLast((id) => id !== undefined);
    if (last === undefined && values.length > 0) throw wrongForm('an entry');
    return last;
  };
  const entriesIn = (value: unknown): readonly unknown[] => {
    if (!Array.isArray(value)) throw wrongForm('the answer');
    return value;
  };
  /** Undefined: the log does not know the checkpoint any more. */
  const readSince = async (from: string, signal: AbortSignal) => {
    const entries: LogEntry[] = [];
    const rejected: RejectedEvent[] = [];
    const seen = new Set<string>();
    const checkpoints = new Set([from]);
    for (let page = 1, checkpoint = from; ; page++) {
      const answer = await api.send(['logs'], { from: checkpoint, take: api.pageSize }, {}, signal);
      if ((answer.status === 400 || answer.status === 404) && page === 1) return undefined;
      if (answer.status !== 200) throw api.refusal(answer, ['logs']);
      const found = entriesIn(parseJson(answer, place));
      const last = lastId(found);
      for (const value of found) {
        const id = idOf(value);
        if (id !== undefined && seen.has(id)) continue;
        if (id !== undefined) seen.add(id);
        const entry = parseLogEntry(value);
        if (entry === undefined) rejected.push(unreadable(id));
        else entries.push(entry);
      }
      if (last === undefined || last === checkpoint) return { entries, rejected, checkpoint, isMore: false };
      if (checkpoints.has(last)) throw wrongForm('a page, which leads back to one that was read,');
      checkpoints.add(last);
      checkpoint = last;
      const isMore = found.length === api.pageSize;
      if (!isMore || page === MOST_PAGES) return { entries, rejected, checkpoint, isMore };
    }
  };

  let isStreamAway = false;
  /** The log goes on without the stream, since it alone tells of applications. */
  const readStream = async (cursor: Cursor | undefined, at: number, signal: AbortSignal) => {
    if (stream === undefined) return { events: [], rejected: [], gap: false, cursor: {} };
    const offset = cursor?.offset;
    const readAt = cursor?.streamAt ?? cursor?.at ?? at;
    const isLate = offset === undefined && at - readAt > KEPT_MS;
    const from = offset === undefined ? { sinceMs: (isLate ? at : readAt) - OVERLAP_MS } : { offset };
    try {
      const read = await stream.read(from, new Date(at).toISOString(), signal);
      isStreamAway = false;
      const next = read.offset === undefined ? { streamAt: at } : { offset: read.offset };
      const { events, rejected } = read;
      return { events, rejected, gap: read.gap || isLate, cursor: next };
    } catch (error) {
      if (!(error instanceof SyncError) || error.code === 'ERR_DIRECTORY_RATE_LIMITED') throw error;
      if (!isStreamAway)
        logger.warn(
          { provider, code: error.code, error: error.message },
          'the event stream cannot be read: only the log tells what happens',
        );
      isStreamAway = true;
      const kept = offset === undefined ? { streamAt: readAt } : { offset };
      return { events: [], rejected: [], gap: false, cursor: kept };
    }
  };

  const tellUnresolved = ({ id }: LogEntry) => {
    metrics.count('scopemesh_events_total', { provider, result: 'unresolved' });
    logger.warn({ provider, eventId: id }, 'a session was ended by its id alone: nobody knows whose it was');
  };

  return {
    provider,
    async poll(text, signal) {
      const cursor = text === undefined ? undefined : parseCursor(text);
      const at = clock.now();
      const streamed = await readStream(cursor, at, signal);
      const atEnd = async () => {
        const log = await readNewest(signal);
        const { events, rejected } = streamed;
        return { log, result: { events, rejected, cursor: toText({ log, at, ...streamed.cursor }) } };
      };
      // Whatever happened since the log was empty is not known: it has no checkpoint to go on from.
      if (cursor === undefined || cursor.log === '') {
        const { log, result } = await atEnd();
        const isLost = cursor === undefined ? text !== undefined : log !== '';
        return { ...result, gap: isLost || streamed.gap };
      }
      const found = await readSince(cursor.log, signal);
      if (found === undefined) return { ...(await atEnd()).result, gap: true };
      const { entries, checkpoint, isMore } = found;
      const rejected = [...streamed.rejected, ...found.rejected];
      for (const entry of entries) if (endsUnknownSession(entry)) tellUnresolved(entry);
      const context = { provider, kind: 'poll', receivedAt: new Date(at).toISOString(), names } as const;
      const events: readonly IdentityEvent[] = [
        ...streamed.events,
        ...entries.flatMap((entry) => toIdentityEvents(entry, context)),
      ];
      const gap = streamed.gap || rejected.length > 0 || at - cursor.at > KEPT_MS;
      return { events, rejected, cursor: toText({ log: checkpoint, at, ...streamed.cursor }), gap, isMore };
    },
  };
}

function idOf(value: unknown): string | undefined {
  return ID.safeParse(value).data?.log_id;
}

function unreadable(id: string | undefined): RejectedEvent {
  const which = id === undefined ? 'without an id' : JSON.stringify(id);
  return new RejectedEvent(
    'ERR_EVENT_INVALID',
    `the log entry ${which} has another form than documented`,
    400,
  );
}

function toText(cursor: Cursor): string {
  return JSON.stringify(cursor);
}

/** Undefined for a text of another making: the log is then taken up anew, with a gap. */
function parseCursor(text: string): Cursor | undefined {
  try {
    return CURSOR.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
