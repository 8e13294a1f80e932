import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { IncompleteRead, SyncError } from '../../errors.js';
import type { Logger } from '../../observe.js';
import { parseJson } from '../http-client.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import type { EventStream } from './event-stream.js';
import { toIdentityEvents } from './events.js';
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
}

/** How far the log and the event stream were read. */
const CURSOR = z.object({
  /** The id of the last entry; empty where the log had none. */
  log: z.string().max(200),
  /** Milliseconds since the epoch of the poll that wrote it. */
  at: z.number(),
  offset: z.string().max(8192).optional(),
});
type Cursor = z.output<typeof CURSOR>;

const ENTRIES = z.array(z.unknown());
/** Pages to one poll; the next goes on from there. */
const MOST_PAGES = 50;
/** The shortest time for which a tenant keeps its log is a day (auth0.com/docs/deploy-monitor/logs/log-data-retention). */
const KEPT_MS = 24 * 3600_000;

/**
 * The tenant's log since the last poll, by checkpoint
 * (auth0.com/docs/deploy-monitor/logs/retrieve-log-events-using-mgmt-api). An entry that expired before it was read
 * shows in nothing but time, so that a longer pause than a log is kept is a gap.
 */
export function createAuth0Poll(options: Auth0PollOptions): EventPoll {
  const { api, names, stream, clock, logger } = options;
  const { provider } = api;
  const place = `provider ${provider}, logs`;

  const readNewest = async (signal: AbortSignal): Promise<string> => {
    const query = { sort: 'date:-1', per_page: 1 };
    const { value } = await api.get({ segments: ['logs'], query, shape: ENTRIES }, signal);
    return value.map(parse)[0]?.id ?? '';
  };
  const wrongForm = (what: string) =>
    new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: ${what} has another form than documented`, {
      retriable: true,
    });
  const parse = (value: unknown): LogEntry => {
    const entry = parseLogEntry(value);
    if (entry === undefined) throw wrongForm('an entry');
    return entry;
  };
  const entriesIn = (value: unknown): readonly unknown[] => {
    if (!Array.isArray(value)) throw wrongForm('the answer');
    return value;
  };
  /** Undefined: the log does not know the checkpoint any more. */
  const readSince = async (from: string, signal: AbortSignal) => {
    const entries: LogEntry[] = [];
    const seen = new Set<string>();
    const checkpoints = new Set([from]);
    for (let page = 1, checkpoint = from; ; page++) {
      const answer = await api.send(['logs'], { from: checkpoint, take: api.pageSize }, {}, signal);
      if ((answer.status === 400 || answer.status === 404) && page === 1) return undefined;
      if (answer.status !== 200) throw api.refusal(answer, ['logs']);
      const found = entriesIn(parseJson(answer, place)).map(parse);
      entries.push(...found.filter(({ id }) => !seen.has(id)));
      for (const { id } of found) seen.add(id);
      const last = found.at(-1)?.id;
      if (last === undefined || last === checkpoint) return { entries, checkpoint, isMore: false };
      if (checkpoints.has(last)) throw wrongForm('a page, which leads back to one that was read,');
      checkpoints.add(last);
      checkpoint = last;
      const isMore = found.length === api.pageSize;
      if (!isMore || page === MOST_PAGES) return { entries, checkpoint, isMore };
    }
  };

  let isStreamAway = false;
  /** The log goes on without the stream, since it alone tells of applications. */
  const readStream = async (offset: string | undefined, receivedAt: string, signal: AbortSignal) => {
    try {
      const streamed = await stream?.read(offset, receivedAt, signal);
      const begins = isStreamAway && offset === undefined;
      isStreamAway = false;
      return streamed && { ...streamed, gap: streamed.gap || begins };
    } catch (error) {
      if (!(error instanceof SyncError) || error.code === 'ERR_DIRECTORY_RATE_LIMITED') throw error;
      if (!isStreamAway)
        logger.warn(
          { provider, code: error.code, error: error.message },
          'the event stream cannot be read: only the log tells what happens',
        );
      isStreamAway = true;
      return { events: [], gap: false, ...(offset === undefined ? {} : { offset }) };
    }
  };

  return {
    provider,
    async poll(text, signal) {
      const receivedAt = new Date(clock.now()).toISOString();
      const cursor = text === undefined ? undefined : parseCursor(text);
      const at = clock.now();
      const streamed = await readStream(cursor?.offset, receivedAt, signal);
      const offset = streamed?.offset === undefined ? {} : { offset: streamed.offset };
      const isStreamGap = streamed?.gap ?? false;
      const streamEvents = streamed?.events ?? [];
      const end = async (gap: boolean) => ({
        events: streamEvents,
        cursor: toText({ log: await readNewest(signal), at, ...offset }),
        gap,
      });
      if (cursor === undefined) return end(text !== undefined || isStreamGap);
      // Whatever happened since the log was empty is not known: it has no checkpoint to go on from.
      if (cursor.log === '') {
        const log = await readNewest(signal);
        const gap = log !== '' || isStreamGap;
        return { events: streamEvents, cursor: toText({ log, at, ...offset }), gap };
      }
      const found = await readSince(cursor.log, signal);
      if (found === undefined) return end(true);
      const context = { provider, kind: 'poll', receivedAt, names } as const;
      const events: readonly IdentityEvent[] = [
        ...streamEvents,
        ...found.entries.flatMap((entry) => toIdentityEvents(entry, context)),
      ];
      const gap = isStreamGap || at - cursor.at > KEPT_MS;
      return { events, cursor: toText({ log: found.checkpoint, at, ...offset }), gap, isMore: found.isMore };
    },
  };
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
