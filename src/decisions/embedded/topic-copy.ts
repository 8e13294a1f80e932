import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { makeDirectory } from '../../make-directory.js';
import type { Logger } from '../../observe.js';
import { Row } from '../../sqlite.js';
import { isProven, ProofCheck } from '../batch-proof.js';
import { parseCloudEvent } from '../envelope.js';
import type { DecisionLog, LogParts } from '../log.js';
import type { NoteVerifier } from '../signed-note.js';
import type { Trail, TrailExtent } from '../trail.js';
import { toTrailRecord } from '../trail-record.js';
import { DecisionFile } from './decision-file.js';
import { openEmbeddedTrail } from './embedded-trail.js';

const BATCH = 1_000;

/** Where a copy begins: at an instant (ISO 8601), at its end if a part has nothing left, or whole. */
export type CopyStart = string | 'end' | 'whole';

export interface CopyOptions {
  readonly logger: Logger;
  /** What none of the keys signed is left out, and its count is logged. */
  readonly verifiers: readonly NoteVerifier[];
}

/**
 * Answers from a temporary copy of everything that the topic has now. Throws the reason of a signal that aborts: an answer
 * would miss what was not read.
 */
export async function copyTopic(
  log: Pick<DecisionLog, 'check' | 'readParts'>,
  runtime: CopyOptions,
  signal: AbortSignal,
): Promise<Trail> {
  await log.check();
  const parts = await log.readParts(signal);
  const directory = await mkdtemp(join(tmpdir(), 'scopemesh-trail-'));
  const trail = await openTopicCopy(parts, { ...runtime, directory });
  if (!signal.aborted) return trail;
  await trail.close();
  throw signal.reason;
}

/**
 * Copies a topic into an index in a directory of its own, which `close` deletes, and answers from that. The partitions of a
 * topic come in any order, so the copy is sorted by the chain first: on the disk, so that memory stays flat. Kafka
 * deletes in each partition by itself: the copy answers from where all of them are whole.
 */
export async function openTopicCopy(
  parts: LogParts,
  options: CopyOptions & { readonly directory: string },
): Promise<Trail> {
  const { directory } = options;
  makeDirectory(directory);
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const begin = await copy(parts, options);
    return await openEmbeddedTrail({
      ...options,
      toExtent: (extent) => extentFrom(extent, begin),
      onClosed: remove,
    });
  } catch (error) {
    await remove();
    throw error;
  }
}

export function extentFrom(extent: TrailExtent, begin: CopyStart): TrailExtent {
  if (begin === 'whole') return extent;
  return { ...extent, first: begin === 'end' ? extent.last : begin, isCut: true, isForgetful: true };
}

async function copy(
  parts: LogParts,
  { directory, ...options }: CopyOptions & { readonly directory: string },
): Promise<CopyStart> {
  const staging = new Database(join(directory, 'staging.db'));
  const file = new DecisionFile(directory);
  try {
    staging.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
      CREATE TABLE staged (log TEXT NOT NULL, sequence INTEGER NOT NULL, time TEXT NOT NULL, event TEXT NOT NULL)`);
    const begin = await stage(parts, staging, options);
    const rows = staging
      .prepare<unknown[]>(
        `SELECT event FROM staged JOIN (SELECT log AS name, min(time) AS begun FROM staged GROUP BY log) ON name = log
        ORDER BY begun, log, sequence, time`,
      )
      .iterate();
    let batch: Parameters<DecisionFile['append']>[0][number][] = [];
    for (const row of rows) {
      const event = new Row(row).text('event');
      const { id, time, subject } = parseCloudEvent(event);
      batch.push({ id, time, subject, event });
      if (batch.length < BATCH) continue;
      await file.append(batch);
      batch = [];
    }
    await file.append(batch);
    return begin;
  } finally {
    staging.close();
    await file.close();
  }
}

async function stage(
  { cut, events }: LogParts,
  staging: Database.Database,
  { logger, verifiers }: CopyOptions,
): Promise<CopyStart> {
  const firsts = new Map<string, string>();
  const insert = staging.prepare<unknown[]>('INSERT INTO staged VALUES (?, ?, ?, ?)');
  staging.exec('BEGIN');
  const proofs = new ProofCheck(verifiers);
  let unproven = 0;
  for await (const { part, event: text } of events) {
    const record = toTrailRecord(text);
    if (record.kind === 'checkpoint') continue;
    if (!isProven(record, proofs)) {
      unproven++;
      continue;
    }
    const decision = parseCloudEvent(text);
    if (!firsts.has(part)) firsts.set(part, decision.time);
    insert.run(decision.chain?.log ?? '', decision.chain?.sequence ?? 0, decision.time, text);
  }
  staging.exec('COMMIT');
  if (unproven > 0)
    logger.warn(
      { messages: unproven },
      'messages of the topic that none of the trusted keys signed are left out',
    );
  return copyStartOf(cut, firsts);
}

/** `firsts` has the time of the first decision of each part. */
export function copyStartOf(cut: LogParts['cut'], firsts: ReadonlyMap<string, string>): CopyStart {
  const begins = cut.map((part) => firsts.get(part) ?? 'end');
  if (begins.includes('end')) return 'end';
  return begins.toSorted().at(-1) ?? 'whole';
}
