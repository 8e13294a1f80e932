import type { StateSchema } from './state-file.js';

// `seq` orders triggers by arrival. AUTOINCREMENT, so that a number never comes again: it is the ID of the trigger.
const QUEUE_TABLES = `
CREATE TABLE triggers (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX triggers_by_key ON triggers (key, seq);
CREATE TABLE failures (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE remembered (
  scope TEXT NOT NULL, id TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (scope, id)) WITHOUT ROWID;
CREATE INDEX remembered_by_expiry ON remembered (expires_at);
CREATE TABLE rechecks (
  provider TEXT NOT NULL, id TEXT NOT NULL, due_at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (provider, id)) WITHOUT ROWID;
CREATE INDEX rechecks_by_due ON rechecks (provider, due_at);
`;

export const QUEUE_FILE: StateSchema = {
  fileName: 'queue.db',
  version: 1,
  lost: 'events and orders that waited are lost',
  // Who sends an event waits for it.
  gatherMs: 0,
  create: (database) => database.exec(QUEUE_TABLES),
};

/** With an index on it, SQLite counts the holds by reason without reading them. */
export const HOLD_REASON = "json_extract(body, '$.reason')";

// The outbox is the settled decisions that still have a body; of the others the id is kept for a while, so that a
// repeated step changes nothing. `seq` orders drafts and decisions. The last revision of a subject is in one of the two
// tables of revisions: `current` is the number of the one that is written, and a subject that has no row in either goes on
// above `floor`.
const JOURNAL_TABLES = `
CREATE TABLE drafts (
  key TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (key, id)) WITHOUT ROWID;
CREATE TABLE decisions (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT);
CREATE TABLE revisions_0 (subject TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE revisions_1 (subject TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE generation (current INTEGER NOT NULL, floor INTEGER NOT NULL);
INSERT INTO generation VALUES (0, 0);
CREATE TABLE written (
  key TEXT NOT NULL, subject TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (key, subject)) WITHOUT ROWID;
CREATE TABLE holds (
  key TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (key, subject)) WITHOUT ROWID;
CREATE INDEX holds_by_reason ON holds (${HOLD_REASON});
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
  id TEXT PRIMARY KEY, body TEXT NOT NULL, began_at INTEGER NOT NULL, ends_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX sessions_by_end ON sessions (ends_at);
CREATE TABLE session_names (name TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (name, id)) WITHOUT ROWID;
CREATE INDEX names_of_session ON session_names (id);
`;

/**
 * The journal, the facts of the key-value store and the sessions of the console: a file of its own, so that no event waits behind their syncs before
 * it is acknowledged.
 */
export const JOURNAL_FILE: StateSchema = {
  fileName: 'journal.db',
  version: 1,
  gatherMs: 3,
  lost:
    'rulings and rejections, decisions that were not published, the record of what scopemesh wrote, poll cursors, ' +
    "positions of webhooks and the mass guard's window are lost, and so are quarantines that Consul's KV does not have",
  create: (database) => database.exec(JOURNAL_TABLES),
};
