import { z } from 'zod';
import { type RejectedEvent, SyncError } from '../../errors.js';
import type { Runtime } from '../../runtime.js';
import { safeParse } from '../../safe-parse.js';
import { invalidEvent } from '../event-body.js';
import { parseJson } from '../http-client.js';
import { wrongShape } from '../read-errors.js';
import { parseShape, parseStored } from '../records.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import type { Auth0DirectoryOptions } from './directory.js';
import { readEvents } from './event-stream.js';
import { endsUnknownSession, toIdentityEvents } from './events.js';
import { type LogEntry, parseLogEntry } from './log-entry.js';

type Auth0PollOptions = Runtime & Pick<Auth0DirectoryOptions, 'api' | 'names' | 'eventStream'>;

/** The last position in the log and in the event stream. */
const CURSOR = z.object({
  /** The ID of the last entry; empty if the log was empty. */
  log: z.string().max(200),
  /** Milliseconds since the epoch of the poll that wrote it. */
  at: z.number(),
  /** Of the event stream. */
  offset: z.string().max(8192).optional(),
  /** When the event stream was last read, until it gives an offset. */
  streamAt: z.number().optional(),
});
type Cursor = z.output<typeof CURSOR>;

const ENTRIES = z.array(z.unknown());
/** The log is read on from this ID, even if the rest of the entry cannot be parsed. */
const ID = z.object({ log_id: z.string().min(1).max(200) });
/** Pages per poll. The next poll continues after them. */
const MAX_PAGES = 50;
/** The shortest log retention of a tenant is one day (auth0.com/docs/deploy-monitor/logs/log-data-retention). */
const RETENTION_MS = 24 * 3600_000;
/** How far back the event stream is read without an offset, because our clock and Auth0's may differ. */
const OVERLAP_MS = 5 * 60_000;

/**
 * The tenant's log since the last poll, by checkpoint
 * (auth0.com/docs/deploy-monitor/logs/retrieve-log-events-using-mgmt-api). The log does not show that an entry expired
 * unread. So a pause that is longer than the retention is a gap. An entry that cannot be parsed is refused, which is a gap
 * too.
 */
export function createAuth0Poll(options: Auth0PollOptions): EventPoll {
  const { api, names, eventStream, clock, logger, metrics } = options;
  const { provider } = api;
  const place = api.placeOf(['logs']);

  const readNewest = async (signal: AbortSignal): Promise<string> => {
    const query = { sort: 'date:-1', per_page: 1 };
    const values = await api.get({ segments: ['logs'], query, shape: ENTRIES }, signal);
    return lastId(values) ?? '';
  };
  /** Undefined for an empty list. Without the ID of any entry the poll cannot continue. */
  const lastId = (values: readonly unknown[]): string | undefined => {
    const last = values.map(idOf).findLast((id) => id !== undefined);
    if (last === undefined && values.length > 0) throw wrongShape(place, 'no entry has an id');
    return last;
  };
  /** Undefined if the log does not know the checkpoint any more. */
  const readSince = async (from: string, signal: AbortSignal) => {
    const entries: LogEntry[] = [];
    const rejected: RejectedEvent[] = [];
    const seen = new Set<string>();
    const checkpoints = new Set([from]);
    for (let page = 1, checkpoint = from; ; page++) {
      const answer = await api.send(['logs'], { from: checkpoint, take: api.pageSize }, {}, signal);
      if ((answer.status === 400 || answer.status === 404) && page === 1) return undefined;
      if (answer.status !== 200) throw api.refusal(answer, ['logs']);
      const found = parseShape(ENTRIES, parseJson(answer, place), place);
      const last = lastId(found);
      for (const value of found) {
        const id = idOf(value);
        if (id !== undefined && seen.has(id)) continue;
        if (id !== undefined) seen.add(id);
        const entry = parseLogEntry(value);
        if (entry === undefined) rejected.push(invalidEntry(id));
        else entries.push(entry);
      }
      if (last === undefined || last === checkpoint) return { entries, rejected, checkpoint, isMore: false };
      if (checkpoints.has(last)) throw wrongShape(place, 'a page leads back to one that was already read');
      checkpoints.add(last);
      checkpoint = last;
      const isMore = found.length === api.pageSize;
      if (!isMore || page === MAX_PAGES) return { entries, rejected, checkpoint, isMore };
    }
  };

  let isStreamFailing = false;
  /** If it fails, the log is still read, because only the log reports changes of applications. */
  const readStream = async (cursor: Cursor | undefined, at: number, signal: AbortSignal) => {
    if (!eventStream) return { events: [], rejected: [], gap: false, cursor: {} };
    const offset = cursor?.offset;
    const readAt = cursor?.streamAt ?? cursor?.at ?? at;
    const isLate = offset === undefined && at - readAt > RETENTION_MS;
    const from = offset === undefined ? { sinceMs: (isLate ? at : readAt) - OVERLAP_MS } : { offset };
    try {
      const read = await readEvents(api, from, new Date(at).toISOString(), signal);
      isStreamFailing = false;
      const next = read.offset === undefined ? { streamAt: at } : { offset: read.offset };
      const { events, rejected } = read;
      return { events, rejected, gap: read.gap || isLate, cursor: next };
    } catch (error) {
      if (!(error instanceof SyncError) || error.code === 'ERR_DIRECTORY_RATE_LIMITED') throw error;
      if (!isStreamFailing)
        logger.warn(
          { provider, code: error.code, error: error.message },
          'the event stream cannot be read: scopemesh reads only the log',
        );
      isStreamFailing = true;
      const kept = offset === undefined ? { streamAt: readAt } : { offset };
      return { events: [], rejected: [], gap: false, cursor: kept };
    }
  };

  const reportUnresolved = ({ id }: LogEntry) => {
    metrics.count('scopemesh_events_total', { provider, result: 'unresolved' });
    const remedy = 'end all sessions of the user whose session was ended';
    logger.warn(
      { provider, eventId: id, remedy },
      'a session was ended by its ID, and the entry does not name its user: the Consul tokens stay valid',
    );
  };

  return {
    provider,
    async poll(text, signal) {
      const cursor = parseStored(CURSOR, text);
      const at = clock.now();
      const streamed = await readStream(cursor, at, signal);
      const atEnd = async () => {
        const log = await readNewest(signal);
        const { events, rejected } = streamed;
        return { log, result: { events, rejected, cursor: JSON.stringify({ log, at, ...streamed.cursor }) } };
      };
      // An empty log has no checkpoint, so it is unknown what happened since.
      if (cursor === undefined || cursor.log === '') {
        const { log, result } = await atEnd();
        const isLost = cursor === undefined ? text !== undefined : log !== '';
        return { ...result, gap: isLost || streamed.gap };
      }
      const found = await readSince(cursor.log, signal);
      if (found === undefined) return { ...(await atEnd()).result, gap: true };
      const { entries, checkpoint, isMore } = found;
      const rejected = [...streamed.rejected, ...found.rejected];
      for (const entry of entries) if (endsUnknownSession(entry)) reportUnresolved(entry);
      const context = { provider, kind: 'poll', receivedAt: new Date(at).toISOString(), names } as const;
      const events: readonly IdentityEvent[] = [
        ...streamed.events,
        ...entries.flatMap((entry) => toIdentityEvents(entry, context)),
      ];
      const gap = streamed.gap || rejected.length > 0 || at - cursor.at > RETENTION_MS;
      const next = JSON.stringify({ log: checkpoint, at, ...streamed.cursor });
      return { events, rejected, cursor: next, gap, isMore };
    },
  };
}

function idOf(value: unknown): string | undefined {
  return safeParse(ID, value).data?.log_id;
}

function invalidEntry(id: string | undefined): RejectedEvent {
  const entry = id === undefined ? 'a log entry without an id' : `the log entry ${JSON.stringify(id)}`;
  const remedy = 'look it up in the tenant log; if it ended sessions, end them again';
  return invalidEvent(`${entry} does not have the documented form and is skipped; ${remedy}`);
}
