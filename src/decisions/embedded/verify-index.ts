import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { Queries } from '../../sqlite.js';
import { isProven, ProofCheck } from '../batch-proof.js';
import { formerLogIn, isSigned } from '../checkpoint.js';
import type { NoteVerifier } from '../signed-note.js';
import type { TopicContent } from '../topic-content.js';
import { type TrailRecord, toTrailRecord } from '../trail-record.js';
import type { TrailFault } from '../verify-trail.js';
import { createTables, unreachable } from './decision-file.js';
import { isAbout, NAMES } from './subject-index.js';
import { readIndexState } from './topic-index-state.js';
import { RowCheck } from './verify-rows.js';

const column = (name: string) => `json_extract(event, '$.${name}')`;
const isNoted = (kind: string, path: string) =>
  `(json_extract(event, '${path}') IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM about WHERE kind = '${kind}' AND name = json_extract(event, '${path}') AND subject = decisions.subject))`;
const pathOf = `CASE kind ${NAMES.map(([kind, path]) => `WHEN '${kind}' THEN '${path}'`).join(' ')} END`;
const FALLEN = `SELECT seq, time FROM
  (SELECT seq, time, lag(time) OVER (ORDER BY seq) AS previous FROM decisions) WHERE time < previous`;

/** What questions read beside the events, derived again: each query gives one place that differs. */
const CHECKS: readonly (readonly [query: string, detail: string])[] = [
  [
    `SELECT seq, id FROM decisions
      WHERE id IS NOT ${column('id')} OR time IS NOT ${column('time')} OR subject IS NOT ${column('subject')} LIMIT 1`,
    'the columns id, time and subject are not those of the event',
  ],
  ['SELECT seq, id FROM decisions WHERE seq < 1 LIMIT 1', 'a decision is before the first number of the log'],
  [
    `SELECT seq, id FROM decisions WHERE ${isAbout('subject')}
      AND (${NAMES.map(([kind, path]) => isNoted(kind, path)).join(' OR ')}) LIMIT 1`,
    'the table about lacks a name of the decision',
  ],
  [
    // Of a subject whose decisions were deleted, the names are kept and cannot be derived.
    `SELECT 0 AS seq, subject AS id FROM about WHERE NOT EXISTS (SELECT 1 FROM carried WHERE subject = about.subject)
      AND NOT EXISTS (SELECT 1 FROM decisions WHERE subject = about.subject
        AND json_extract(event, ${pathOf}) = about.name) LIMIT 1`,
    'the table about has a name for a subject that no decision has',
  ],
  [
    `SELECT seq, time AS id FROM (${FALLEN} EXCEPT SELECT seq, time FROM falls) LIMIT 1`,
    'the table falls lacks a decision that is earlier than the one before it',
  ],
  [
    `SELECT seq, time AS id FROM (SELECT seq, time FROM falls EXCEPT ${FALLEN})
      WHERE seq > (SELECT min(seq) FROM decisions) LIMIT 1`,
    'the table falls has a decision that is not earlier than the one before it',
  ],
  [
    `SELECT seq, subject AS id FROM carried
      WHERE subject IS NOT ${column('subject')} OR seq >= (SELECT min(seq) FROM decisions)
      OR EXISTS (SELECT 1 FROM decisions AS kept WHERE kept.id = json_extract(carried.event, '$.id')
        AND json_extract(kept.event, '$.data.chain.hash') = json_extract(carried.event, '$.data.chain.hash')) LIMIT 1`,
    'the table carried has a decision under another subject, or one that the log still has',
  ],
];

/**
 * The first place at which the columns and tables that answers come from differ from what the events say. The decisions that were
 * kept of a deleted beginning must be signed; that all of them are there cannot be shown. `topic`: of an index, whose events nobody
 * else verifies: also each decision must be signed, there and at its place. Throws SyncError ERR_DECISIONS_UNREACHABLE.
 */
export function verifyIndex(
  directory: string,
  verifiers: readonly NoteVerifier[],
  topic?: TopicContent,
): TrailFault | undefined {
  const path = join(directory, 'decisions.db');
  if (!existsSync(path)) return undefined;
  const fault = (detail: string, seq: number, id = ''): TrailFault => ({
    kind: 'changed',
    position: seq,
    place: 'decisions.db',
    ...(id === '' ? {} : { id }),
    detail: `${detail}: answers may be false`,
  });
  const database = new Database(path, { readonly: true, timeout: 5_000 });
  const queries = new Queries(database);
  try {
    // A daemon may write meanwhile.
    database.exec('BEGIN');
    const differing = otherSchema(queries);
    if (differing !== undefined) return fault(`${differing} is not the one that scopemesh makes`, 0);
    const state = queries.all('SELECT integrity_check AS id FROM pragma_integrity_check(1)')[0]?.text('id');
    if (state !== 'ok') return fault(`SQLite finds the file damaged (${state})`, 0);
    for (const [query, detail] of CHECKS) {
      const [row] = queries.all(query);
      if (row !== undefined) return fault(detail, row.integer('seq'), row.text('id'));
    }
    if (topic === undefined && queries.all('SELECT one FROM topic_index').length > 0)
      return fault('the log says that it follows a topic', 0);
    if (topic === undefined) {
      const first = firstRecord(queries);
      if (first !== undefined && first.kind !== 'checkpoint')
        return fault('the signed note with which the log begins is missing', 0);
      if (isBeginning(first) && queries.all('SELECT seq FROM carried').length > 0)
        return fault('the table carried has decisions from before the log, which is whole', 0);
    }
    if (verifiers.length === 0) return undefined;
    const proofs = new ProofCheck(verifiers);
    const check = topic && new RowCheck(readIndexState(queries), topic);
    for (const table of check === undefined ? ['carried'] : ['carried', 'decisions'])
      for (let after = Number.MIN_SAFE_INTEGER; ; ) {
        const page = queries.all(
          `SELECT seq, event FROM ${table} WHERE seq > ? ORDER BY seq LIMIT 500`,
          after,
        );
        for (const row of page) {
          after = row.integer('seq');
          const record = toTrailRecord(row.text('event'));
          if (record.kind === 'checkpoint' && isSigned(verifiers, record.checkpoint)) continue;
          if (record.kind !== 'decision' || !isProven(record, proofs))
            return fault(`none of the keys signed a decision in the table ${table}`, after);
          const wrong = table === 'decisions' ? check?.see(record.link, record.time) : undefined;
          if (wrong !== undefined) return fault(wrong, after);
        }
        if (page.length === 0) break;
      }
    const lacking = check?.atEnd();
    return lacking === undefined ? undefined : fault(lacking, 0);
  } catch (error) {
    throw unreachable(path, error);
  } finally {
    queries.close();
  }
}

function firstRecord(queries: Queries): TrailRecord | undefined {
  const [first] = queries.all('SELECT event FROM decisions ORDER BY seq LIMIT 1');
  return first && toTrailRecord(first.text('event'));
}

/** Whether nothing was deleted: the log begins with the note of a log that follows no other one. */
function isBeginning(first: TrailRecord | undefined): boolean {
  if (first?.kind !== 'checkpoint') return true;
  return first.checkpoint.tree.size === 0 && formerLogIn(first.checkpoint.note) === undefined;
}

/** The name of a table, an index, a view or a trigger that somebody else made or changed. */
function otherSchema(queries: Queries): string | undefined {
  const memory = new Database(':memory:');
  const expected = new Queries(memory);
  try {
    createTables(memory);
    const objects = (of: Queries) =>
      new Map(
        of
          .all("SELECT name, coalesce(sql, '') AS sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
          .map((row) => [row.text('name'), row.text('sql')]),
      );
    const own = objects(expected);
    return (
      [...objects(queries)].find(([name, sql]) => own.get(name) !== sql)?.[0] ??
      [...own.keys()].find((name) => !objects(queries).has(name))
    );
  } finally {
    expected.close();
  }
}
