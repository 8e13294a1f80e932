import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { SyncError } from '../../errors.js';
import { inTransaction, Row } from '../../sqlite.js';
import { failureOf, requireIntact, type StateSchema } from './state-file.js';
import { syncDirectory } from './write-ahead-log.js';

// `seq` orders: triggers by arrival, keys by their oldest trigger or their last wait, decisions by settlement.
// AUTOINCREMENT, so that a number never comes again: a run forgets what it read by the highest number it saw.
const QUEUE_TABLES = `
CREATE TABLE IF NOT EXISTS triggers (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, urgent INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS triggers_of_key ON triggers (key, seq);
CREATE TABLE IF NOT EXISTS keys (
  key TEXT PRIMARY KEY, urgent INTEGER NOT NULL, seq INTEGER NOT NULL, due_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL, parked_since TEXT, error TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_in_order ON keys (urgent DESC, seq) WHERE parked_since IS NULL;
CREATE INDEX IF NOT EXISTS keys_by_due ON keys (due_at) WHERE parked_since IS NULL;
CREATE TABLE IF NOT EXISTS remembered (
  scope TEXT NOT NULL, id TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (scope, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS remembered_by_expiry ON remembered (expires_at);
CREATE TABLE IF NOT EXISTS rechecks (
  provider TEXT NOT NULL, id TEXT NOT NULL, due_at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (provider, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rechecks_by_due ON rechecks (provider, due_at);
`;
// Files of the first versions have no such column.
const DELAYED_AT = 'ALTER TABLE keys ADD COLUMN delayed_at INTEGER NOT NULL DEFAULT 0';
// Which keys run, so that a query leaves them out: of this connection alone, and gone with it.
const RUNNING = 'CREATE TEMP TABLE running (key TEXT PRIMARY KEY) WITHOUT ROWID';

/** Version 1 also held the journal, and version 2 still the facts. */
export const QUEUE_FILE: StateSchema = {
  fileName: 'queue.db',
  version: 3,
  lost: 'events and orders that waited are lost',
  // Who sends an event waits for it.
  gatherMs: 0,
  setUp(database) {
    database.exec(QUEUE_TABLES);
    const columns = database.prepare('PRAGMA table_info(keys)').all();
    if (columns.every((column) => new Row(column).text('name') !== 'delayed_at')) database.exec(DELAYED_AT);
    database.exec(RUNNING);
  },
};

const FACTS_TABLE =
  'CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID';
/** In every version of the journal. */
const RECORD_TABLES = `
CREATE TABLE IF NOT EXISTS written (
  key TEXT NOT NULL, subject TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (key, subject)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holds (
  key TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (key, subject)) WITHOUT ROWID;
`;
const JOURNAL_TABLES_1 = `
CREATE TABLE IF NOT EXISTS pending (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS revisions (subject TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settled (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);
${RECORD_TABLES}`;

/** With an index on it, SQLite counts the holds by reason without reading them. */
export const HOLD_REASON = "json_extract(body, '$.reason')";

// The outbox is the settled decisions that still have a body; of the others the id is kept for a while, so that a
// repeated step changes nothing. `seq` orders drafts and decisions. The last revision of a subject is in one of the two
// tables of revisions: `current` is the number of the one that is written, and who is in neither goes on above `floor`.
const JOURNAL_TABLES = `
CREATE TABLE IF NOT EXISTS drafts (
  key TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (key, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decisions (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT);
CREATE TABLE IF NOT EXISTS revisions_0 (subject TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revisions_1 (subject TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS generation (current INTEGER NOT NULL, floor INTEGER NOT NULL);
INSERT INTO generation SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM generation);
${RECORD_TABLES}CREATE INDEX IF NOT EXISTS holds_by_reason ON holds (${HOLD_REASON});
`;
const FROM_VERSION_1 = `
INSERT INTO drafts (key, id, seq, body) SELECT key, id, seq, body FROM pending;
INSERT INTO decisions (id) SELECT id FROM settled WHERE id NOT IN (SELECT id FROM outbox) ORDER BY seq;
INSERT INTO decisions (id, body) SELECT id, body FROM outbox ORDER BY seq;
INSERT INTO revisions_0 SELECT subject, revision FROM revisions;
DROP TABLE pending;
DROP TABLE outbox;
DROP TABLE settled;
DROP TABLE revisions;
`;

/**
 * The journal, and the facts of the key-value store: a file of its own, so that no event waits behind their syncs before
 * it is acknowledged. Since version 3 it holds the facts.
 */
export const JOURNAL_FILE: StateSchema = {
  fileName: 'journal.db',
  version: 3,
  gatherMs: 3,
  lost:
    'rulings and rejections, decisions that were not published, the record of what scopemesh wrote, poll cursors, ' +
    "positions of webhooks and the mass guard's window are lost, and so are quarantines that Consul's KV does not have",
  setUp(database) {
    database.exec(JOURNAL_TABLES);
    database.exec(FACTS_TABLE);
    const found = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").all();
    if (found.length > 0) database.exec(FROM_VERSION_1);
  },
};

/** From this version on, of both files, `journal.db` holds the facts. */
const FACTS_MOVED = 3;

/** Tables that a `queue.db` of an older version holds. `since`: a `journal.db` of this version or a later one has its own. */
const MOVED = [
  ...['pending', 'revisions', 'outbox', 'settled', 'written', 'holds'].map((table) => ({ table, since: 1 })),
  { table: 'facts', since: FACTS_MOVED },
];

/**
 * Moves the journal and the facts out of a `queue.db` of an older version. The copy is one transaction, which also raises
 * the version of `journal.db`, and the tables are dropped only once it is durable. After a crash the next start copies if
 * the copy is not there, and otherwise only drops. So what is older never overrides what was written since, also if an old
 * `queue.db` is restored beside a `journal.db` that was not lost. Throws if `journal.db` is older than `queue.db`: then
 * neither file has the facts.
 */
export function moveToJournal(directory: string): void {
  const path = join(directory, QUEUE_FILE.fileName);
  if (!existsSync(path)) return;
  withFile(path, QUEUE_FILE.lost, (queue) => {
    const version = versionOf(queue);
    if (version >= FACTS_MOVED) requireFacts(directory);
    if (version < QUEUE_FILE.version)
      sayingLoss(path, `${QUEUE_FILE.lost}; ${JOURNAL_FILE.lost}`, (lost) => {
        const left = MOVED.filter(({ table }) => hasTable(queue, table));
        if (left.length === 0) return;
        requireIntact(queue, path, lost);
        copyToJournal(directory, path, left);
        queue.exec('PRAGMA synchronous = FULL');
        inTransaction(queue, () => {
          for (const { table } of left) queue.exec(`DROP TABLE ${table}`);
          queue.exec(`PRAGMA user_version = ${QUEUE_FILE.version}`);
        });
      });
  });
}

/** No crash leaves such a `journal.db`: its version is raised first, durably. So somebody restored it from a backup. */
function requireFacts(directory: string): void {
  const path = join(directory, JOURNAL_FILE.fileName);
  if (!existsSync(path)) return;
  const version = withFile(path, JOURNAL_FILE.lost, versionOf);
  if (version === 0 || version >= FACTS_MOVED) return;
  throw new SyncError(
    'ERR_QUEUE_UNREACHABLE',
    `the state file ${path} is older than ${QUEUE_FILE.fileName} beside it. Stop scopemesh and restore both files of one ` +
      `backup, or move ${path} with its -wal and -shm files away and start without it: ${JOURNAL_FILE.lost}.`,
    { retriable: false },
  );
}

function copyToJournal(directory: string, from: string, left: typeof MOVED): void {
  const path = join(directory, JOURNAL_FILE.fileName);
  withFile(path, JOURNAL_FILE.lost, (journal) => {
    chmodSync(path, 0o600);
    // Who moves a damaged file away must not lose the copy with it.
    requireIntact(journal, path, JOURNAL_FILE.lost);
    const version = versionOf(journal);
    if (version > JOURNAL_FILE.version) throw new Error(`a newer scopemesh wrote it (version ${version})`);
    const copied = left.filter(({ since }) => version < since);
    journal.exec('PRAGMA journal_mode = WAL');
    journal.exec('PRAGMA synchronous = FULL');
    journal.prepare('ATTACH ? AS old').run(from);
    // Also with nothing to copy: its sync makes a copy durable that a crash left in the log.
    inTransaction(journal, () => {
      if (version < 1) journal.exec(JOURNAL_TABLES_1);
      journal.exec(FACTS_TABLE);
      for (const { table } of copied)
        journal.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} SELECT * FROM old.${table}`);
      JOURNAL_FILE.setUp(journal);
      journal.exec(`PRAGMA main.user_version = ${JOURNAL_FILE.version}`);
    });
    journal.exec('DETACH old');
  });
  syncDirectory(directory);
}

/** Opens the file for the time of the work. `lost`: as in `StateSchema`. */
function withFile<T>(path: string, lost: string, work: (database: Database.Database) => T): T {
  return sayingLoss(path, lost, () => {
    const database = new Database(path, { timeout: 5000 });
    try {
      return work(database);
    } finally {
      if (database.open) database.close();
    }
  });
}

function sayingLoss<T>(path: string, lost: string, work: (lost: string) => T): T {
  try {
    return work(lost);
  } catch (error) {
    throw failureOf(path, lost, error);
  }
}

function versionOf(database: Database.Database): number {
  return new Row(database.prepare('PRAGMA user_version').all()[0]).integer('user_version');
}

function hasTable(database: Database.Database, table: string): boolean {
  const query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?";
  return database.prepare(query).all(table).length > 0;
}
