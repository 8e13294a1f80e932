import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { moveJournal } from '../../../src/queue/embedded/schemas.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { draft, hold, settled } from '../../conformance/journal.js';
import { trigger } from '../../conformance/store-harness.js';

const KEY = 'destination/default/default/orders';

/** `queue.db` as version 1 made it, with a trigger, a fact, and something in every table of the journal. */
function writeVersion1(directory: string): void {
  const database = new Database(join(directory, 'queue.db'));
  database.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE triggers (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, urgent INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX triggers_of_key ON triggers (key, seq);
    CREATE TABLE keys (
      key TEXT PRIMARY KEY, urgent INTEGER NOT NULL, seq INTEGER NOT NULL, due_at INTEGER NOT NULL,
      attempts INTEGER NOT NULL, parked_since TEXT, error TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX keys_in_order ON keys (urgent DESC, seq) WHERE parked_since IS NULL;
    CREATE INDEX keys_by_due ON keys (due_at) WHERE parked_since IS NULL;
    CREATE TABLE pending (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX pending_of_key ON pending (key, seq);
    CREATE TABLE revisions (subject TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
    CREATE TABLE settled (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);
    CREATE TABLE written (
      key TEXT NOT NULL, subject TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (key, subject)) WITHOUT ROWID;
    CREATE TABLE holds (
      key TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (key, subject)) WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE remembered (
      scope TEXT NOT NULL, id TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (scope, id)) WITHOUT ROWID;
    CREATE INDEX remembered_by_expiry ON remembered (expires_at);
    CREATE TABLE rechecks (
      provider TEXT NOT NULL, id TEXT NOT NULL, due_at INTEGER NOT NULL, body TEXT NOT NULL,
      PRIMARY KEY (provider, id)) WITHOUT ROWID;
    CREATE INDEX rechecks_by_due ON rechecks (provider, due_at);
    ALTER TABLE keys ADD COLUMN delayed_at INTEGER NOT NULL DEFAULT 0;
    PRAGMA user_version = 1;
  `);
  const waiting = trigger('orders', '1');
  database
    .prepare('INSERT INTO triggers (key, urgent, body) VALUES (?, 0, ?)')
    .run(KEY, JSON.stringify(waiting));
  database.prepare("INSERT INTO keys VALUES (?, 0, 1, 0, 0, NULL, '', 0)").run(KEY);
  database.exec("INSERT INTO facts VALUES ('cursor', '7')");
  const pending = database.prepare('INSERT INTO pending (seq, id, key, body) VALUES (?, ?, ?, ?)');
  pending.run(8, 'b', KEY, JSON.stringify(draft('b')));
  pending.run(9, 'a', KEY, JSON.stringify(draft('a')));
  database.exec("INSERT INTO revisions VALUES ('s', 4); INSERT INTO settled (id) VALUES ('old')");
  database
    .prepare('INSERT INTO outbox (seq, id, body) VALUES (5, ?, ?)')
    .run('old', JSON.stringify({ ...settled('old'), revision: 4 }));
  database.prepare("INSERT INTO written VALUES (?, 's', 'digest')").run(KEY);
  database.prepare("INSERT INTO holds VALUES (?, 's', ?)").run(KEY, JSON.stringify(hold('s')));
  database.close();
}

describe('a state directory whose queue.db holds the journal too', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'scopemesh-move-'));
    writeVersion1(directory);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const open = () =>
    createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock: systemClock });

  async function expectEverything(): Promise<void> {
    const store = open();
    expect(await store.journal.read(KEY)).toEqual({
      pending: [draft('b'), draft('a')],
      lastApplied: new Map([['s', 'digest']]),
      holds: new Map([['s', hold('s')]]),
    });
    expect((await store.journal.outbox(10)).map(({ id, revision }) => [id, revision])).toEqual([['old', 4]]);
    expect((await store.queue.state()).waiting).toBe(1);
    expect(await store.keyValues.get('cursor')).toBe('7');
    await store.close();
  }

  const tables = () => {
    const database = new Database(join(directory, 'queue.db'));
    const rows = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").raw().all();
    database.close();
    return rows.flat();
  };

  it('is opened with everything in its place, and numbers on', async () => {
    await expectEverything();
    expect(tables()).not.toContain('pending');
    const store = open();
    await store.journal.settle(KEY, [settled('old'), settled('a')]);
    expect((await store.journal.outbox(10)).map(({ id, revision }) => [id, revision])).toEqual([
      ['old', 4],
      ['a', 5],
    ]);
    expect((await store.journal.read(KEY)).pending).toEqual([draft('b')]);
    await store.close();
  });

  it('moves nothing a second time', async () => {
    await expectEverything();
    const store = open();
    await store.journal.settle(KEY, [settled('a'), settled('b')]);
    await store.close();
    const again = open();
    expect((await again.journal.overview()).pendingKeys).toEqual([]);
    await again.close();
  });

  it('loses and doubles nothing when a crash comes between the copy and the removal', async () => {
    const before = `${directory}-before`;
    cpSync(directory, before, { recursive: true });
    moveJournal(directory);
    // The copy is there, and `queue.db` is as it was.
    for (const name of ['queue.db', 'queue.db-wal', 'queue.db-shm'])
      rmSync(join(directory, name), { force: true });
    cpSync(before, directory, { recursive: true });
    rmSync(before, { recursive: true });
    expect(tables()).toContain('pending');
    await expectEverything();
  });
});
