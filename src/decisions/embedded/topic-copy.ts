import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'libsql';
import { messageOf, SyncError } from '../../errors.js';
import { makeDirectory } from '../../make-directory.js';
import type { Logger } from '../../observe.js';
import { parseCloudEvent } from '../envelope.js';
import { parseLogEvent } from '../log.js';
import type { Trail } from '../trail.js';
import { DecisionFile } from './decision-file.js';
import { openEmbeddedTrail } from './embedded-trail.js';

const BATCH = 1_000;

/**
 * Copies a topic into an index in a directory of its own, which `close` deletes, and answers from that. The partitions of a
 * topic come in any order, so the copy is sorted by the chain first: on the disk, so that memory stays flat.
 */
export async function openTopicCopy(
  events: AsyncIterable<string>,
  options: { readonly directory: string; readonly logger: Logger },
): Promise<Trail> {
  const { directory } = options;
  makeDirectory(directory);
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    await copy(events, options);
    const trail = await openEmbeddedTrail(options);
    return {
      extent: () => trail.extent(),
      subjects: (of) => trail.subjects(of),
      newestFirst: (subject, at) => trail.newestFirst(subject, at),
      next: (subject, at) => trail.next(subject, at),
      history: (of, between) => trail.history(of, between),
      close: () => trail.close().then(remove),
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function copy(
  events: AsyncIterable<string>,
  { directory, logger }: { readonly directory: string; readonly logger: Logger },
): Promise<void> {
  const staging = new Database(join(directory, 'staging.db'));
  const file = new DecisionFile(directory);
  try {
    staging.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
      CREATE TABLE staged (log TEXT NOT NULL, sequence INTEGER NOT NULL, time TEXT NOT NULL, event TEXT NOT NULL)`);
    await stage(events, staging, logger);
    const rows = staging
      .prepare<unknown[]>(
        `SELECT event FROM staged JOIN (SELECT log AS name, min(time) AS begun FROM staged GROUP BY log) ON name = log
        ORDER BY begun, log, sequence, time`,
      )
      .iterate();
    let batch: Parameters<DecisionFile['append']>[0][number][] = [];
    for (const row of rows) {
      const event = eventOf(row);
      const { id, time, subject } = parseCloudEvent(event);
      batch.push({ id, time, subject, event });
      if (batch.length < BATCH) continue;
      await file.append(batch);
      batch = [];
    }
    await file.append(batch);
  } finally {
    staging.close();
    await file.close();
  }
}

async function stage(
  events: AsyncIterable<string>,
  staging: Database.Database,
  logger: Logger,
): Promise<void> {
  const insert = staging.prepare<unknown[]>('INSERT INTO staged VALUES (?, ?, ?, ?)');
  staging.exec('BEGIN');
  for await (const text of events) {
    try {
      const decision = parseLogEvent(text);
      if (decision === undefined) continue;
      insert.run(decision.chain?.log ?? '', decision.chain?.sequence ?? 0, decision.time, text);
    } catch (error) {
      if (!(error instanceof SyncError)) throw error;
      logger.warn({ error: messageOf(error) }, 'skipped an event that is not a decision');
    }
  }
  staging.exec('COMMIT');
}

function eventOf(row: unknown): string {
  if (typeof row !== 'object' || row === null || !('event' in row) || typeof row.event !== 'string')
    throw new Error('not a row');
  return row.event;
}
