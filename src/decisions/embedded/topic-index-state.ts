import { z } from 'zod';
import { messageOf, SyncError } from '../../errors.js';
import type { Queries } from '../../sqlite.js';
import { parseJson } from '../envelope.js';

const INSTANT = z.string();

const GAP = z.object({ after: INSTANT, until: INSTANT });
export type Gap = Readonly<z.output<typeof GAP>>;

const STATE = z.object({
  /** Behind what was read of the topic; empty: the beginning. */
  position: z.string(),
  /** The index has what was in the topic at this instant; absent: it was never complete, or follows nothing. */
  until: INSTANT.optional(),
  /** Where the topic began at the first read: an instant, `whole`, or of a copy `end`, if nothing is left of a part. */
  begin: z.string().optional(),
  /** The last decision of each log that is in the index, and from which to which number some before it are missing. */
  chains: z.record(
    z.string(),
    z.object({
      sequence: z.number(),
      hash: z.string(),
      time: INSTANT,
      missing: z.object({ from: z.number(), to: z.number() }).optional(),
    }),
  ),
  /**
   * The logs that wait for a decision: the number before it; since when, in milliseconds; and the time after which decisions
   * are missing meanwhile.
   */
  holes: z.record(z.string(), z.object({ after: z.number(), since: z.number(), time: INSTANT })),
  /** The times in which decisions are missing. */
  gaps: z.array(GAP),
  broken: z.object({ id: z.string(), time: INSTANT }).optional(),
  /** The public keys whose decisions it has. */
  keys: z.array(z.string()).optional(),
});

/** What the index knows of the topic that it follows. */
export type TopicIndexState = z.output<typeof STATE>;

/** Tables beside the decisions, for a log that follows a topic. A log that follows none leaves them empty. */
export const FOLLOWER = `
  CREATE TABLE IF NOT EXISTS topic_index (one INTEGER PRIMARY KEY CHECK (one = 1), state TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS staged (
    log TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    time TEXT NOT NULL,
    id TEXT NOT NULL,
    subject TEXT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (log, sequence, time, id)
  ) STRICT, WITHOUT ROWID;
`;

const EMPTY: TopicIndexState = { position: '', chains: {}, holes: {}, gaps: [] };

/** Throws SyncError ERR_DECISIONS_UNREACHABLE, also for a state of another form. */
export function readIndexState(queries: Queries): TopicIndexState {
  try {
    const [row] = queries.all('SELECT state FROM topic_index');
    return row === undefined ? EMPTY : STATE.parse(parseJson(row.text('state')));
  } catch (error) {
    throw new SyncError(
      'ERR_DECISIONS_UNREACHABLE',
      `the local index of the topic cannot be read (${messageOf(error)}); if this goes on, delete its directory, and scopemesh makes it again`,
      { retriable: true, cause: error },
    );
  }
}
