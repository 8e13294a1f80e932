import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { storedBlocks } from '../../../src/operator/quarantines.js';
import { JOURNAL_FILE, moveToJournal, QUEUE_FILE } from '../../../src/queue/embedded/schemas.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { draft, hold, settled } from '../../conformance/journal.js';
import { type Store, trigger } from '../../conformance/store-harness.js';
import { restoreFile, type StoredState } from '../../support/former-state/stored-state.js';
import { overwriteFirstPage, overwritePages } from '../../support/overwrite-pages.js';

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
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

/** What a release of version 2 left, with a quarantine in it, and a ruling. */
function writeVersion2(directory: string): void {
  const fixture = new URL('../../fixtures/former-state/embedded.json', import.meta.url);
  const { files = {} }: StoredState = JSON.parse(readFileSync(fixture, 'utf8'));
  for (const name of ['queue.db', 'journal.db']) restoreFile(join(directory, name), files[name] ?? []);
  change(directory, 'queue.db', `INSERT INTO facts VALUES ('approval/s', '${RULING}'), ('cursor', '7')`);
}
const RULING = '{"decisionId":"d","fingerprint":"f","verdict":"rejected"}';

function change(directory: string, file: string, statements: string): void {
  const database = new Database(join(directory, file));
  database.exec(statements);
  database.close();
}

function rows(directory: string, file: string, sql: string): unknown[] {
  const database = new Database(join(directory, file));
  try {
    return database.prepare(sql).raw().all();
  } finally {
    database.close();
  }
}

const tables = (directory: string, file: string) =>
  rows(directory, file, "SELECT name FROM sqlite_master WHERE type = 'table'").flat();
const factsIn = (directory: string, file: string) =>
  rows(directory, file, 'SELECT name, value FROM facts ORDER BY name');
const versions = (directory: string) =>
  ['queue.db', 'journal.db'].map((file) => rows(directory, file, 'PRAGMA user_version').flat()[0]);

/** As `restore` of a backup of one file does it. */
function putBack(from: string, directory: string, file: string): void {
  for (const end of ['', '-wal', '-shm']) {
    rmSync(join(directory, file + end), { force: true });
    if (existsSync(join(from, file + end))) cpSync(join(from, file + end), join(directory, file + end));
  }
}

let root: string;
let directory: string;
/** The files as the former release left them. */
let former: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'scopemesh-move-'));
  directory = join(root, 'live');
  former = join(root, 'former');
});
afterEach(() => rmSync(root, { recursive: true }));

function begin(write: (directory: string) => void): void {
  mkdirSync(former);
  write(former);
  cpSync(former, directory, { recursive: true });
}

const open = () =>
  createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock: systemClock });

async function inStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  const store = open();
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

describe.each([
  ['1, whose queue.db holds journal and facts', writeVersion1],
  ['2, whose queue.db holds the facts', writeVersion2],
])('a state directory of version %s', (_, write) => {
  beforeEach(() => begin(write));

  it('is moved once, and an older scopemesh refuses both files afterwards', async () => {
    const before = factsIn(former, 'queue.db');
    await inStore(async () => {});
    expect(factsIn(directory, 'journal.db')).toEqual(before);
    expect(tables(directory, 'queue.db')).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(facts|pending|written|holds)$/)]),
    );
    expect(versions(directory)).toEqual([QUEUE_FILE.version, JOURNAL_FILE.version]);
    await inStore(({ keyValues }) => keyValues.set('cursor', '8'));
    expect(await inStore(({ keyValues }) => keyValues.get('cursor'))).toBe('8');
  });

  it('loses and doubles nothing when a crash comes between the copy and the removal', async () => {
    const before = factsIn(former, 'queue.db');
    moveToJournal(directory);
    putBack(former, directory, 'queue.db');
    expect(tables(directory, 'queue.db')).toContain('facts');
    await inStore(async () => {});
    expect(tables(directory, 'queue.db')).not.toContain('facts');
    expect(factsIn(directory, 'journal.db')).toEqual(before);
  });

  it('overrides nothing newer when the old queue.db is restored beside the new journal.db', async () => {
    await inStore(async ({ journal, keyValues }) => {
      await keyValues.set('cursor', '8');
      await journal.settle(KEY, [], { lastApplied: new Map([['s', 'newer']]) });
    });
    putBack(former, directory, 'queue.db');
    await inStore(async ({ journal, keyValues }) => {
      expect(await keyValues.get('cursor')).toBe('8');
      expect((await journal.read(KEY)).lastApplied.get('s')).toBe('newer');
    });
  });

  it('is refused if its journal.db is restored beside the new queue.db, which says what to do', async () => {
    if (!existsSync(join(former, 'journal.db'))) change(former, 'journal.db', 'PRAGMA user_version = 1');
    await inStore(({ keyValues }) => keyValues.set('cursor', '8'));
    putBack(former, directory, 'journal.db');
    const before = versions(directory);
    expect(open).toThrow(expect.objectContaining({ code: 'ERR_QUEUE_UNREACHABLE', retriable: false }));
    expect(open).toThrow(/journal\.db is older than queue\.db .*restore both .* or move .*journal\.db/);
    expect(versions(directory)).toEqual(before);
    for (const end of ['', '-wal', '-shm']) rmSync(join(directory, `journal.db${end}`), { force: true });
    expect(await inStore(({ keyValues }) => keyValues.get('cursor'))).toBeUndefined();
  });

  it('is refused, and left as it is, beside a journal.db of a newer version', async () => {
    change(directory, 'journal.db', `PRAGMA user_version = ${JOURNAL_FILE.version + 1}`);
    expect(open).toThrow(/journal\.db cannot be used: a newer scopemesh wrote it/);
    expect(factsIn(directory, 'queue.db')).toEqual(factsIn(former, 'queue.db'));
  });
});

it('a queue.db whose first page is damaged is said to lose only what it holds', async () => {
  mkdirSync(directory);
  await inStore(({ keyValues }) => keyValues.set('cursor', '8'));
  change(directory, 'queue.db', 'PRAGMA wal_checkpoint(TRUNCATE)');
  overwriteFirstPage(join(directory, 'queue.db'));
  expect(open).toThrow(/queue\.db is damaged .*; events and orders that waited are lost\.$/);
});

it('a new queue.db beside a journal.db of version 2 is made after the journal is upgraded', async () => {
  begin(writeVersion2);
  for (const end of ['', '-wal', '-shm']) rmSync(join(directory, `queue.db${end}`), { force: true });
  // The start fails at queue.db, as a crash would end it there.
  mkdirSync(join(directory, 'queue.db-wal'));
  expect(open).toThrow();
  expect(rows(directory, 'journal.db', 'PRAGMA user_version').flat()).toEqual([JOURNAL_FILE.version]);
});

describe('a state directory of version 1', () => {
  beforeEach(() => begin(writeVersion1));

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

  it('is opened with everything in its place, and numbers on', async () => {
    await expectEverything();
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
    await inStore(({ journal }) => journal.settle(KEY, [settled('a'), settled('b')]));
    expect(await inStore(async ({ journal }) => (await journal.overview()).pendingKeys)).toEqual([]);
  });

  it('has all of its journal when a crash comes between the copy and the removal', async () => {
    moveToJournal(directory);
    expect(tables(directory, 'journal.db')).toContain('drafts');
    expect(tables(directory, 'journal.db')).not.toContain('outbox');
    putBack(former, directory, 'queue.db');
    await expectEverything();
  });

  it('is copied again if a former release died while it moved the journal', async () => {
    cpSync(join(former, 'queue.db'), join(directory, 'journal.db'));
    // A part of the copy, of which nothing says that it is complete.
    change(directory, 'journal.db', 'DELETE FROM pending; DROP TABLE facts; PRAGMA user_version = 0');
    await expectEverything();
  });

  it('keeps the journal if a former release died when it had moved it', async () => {
    cpSync(join(former, 'queue.db'), join(directory, 'journal.db'));
    change(directory, 'journal.db', 'DROP TABLE facts; PRAGMA user_version = 0');
    const drops = ['pending', 'revisions', 'outbox', 'settled', 'written', 'holds'].map(
      (name) => `DROP TABLE ${name};`,
    );
    change(directory, 'queue.db', `${drops.join(' ')} PRAGMA user_version = 2`);
    await expectEverything();
  });
});

describe('a state directory of version 2', () => {
  beforeEach(() => begin(writeVersion2));

  it('keeps quarantines, rulings, the journal and what waits', async () => {
    const drafts = rows(former, 'journal.db', 'SELECT id FROM drafts').length;
    const written = rows(former, 'journal.db', 'SELECT key, subject, digest FROM written');
    const waiting = rows(former, 'queue.db', 'SELECT key FROM keys').length;
    await inStore(async (store) => {
      expect(await storedBlocks(store)).toMatchObject([
        { provider: 'main', clientId: 'svc-2-app', closure: 'ClientQuarantined' },
      ]);
      expect(await store.keyValues.get('approval/s')).toBe(RULING);
      expect((await store.queue.state()).waiting).toBe(waiting);
    });
    expect(rows(directory, 'journal.db', 'SELECT id FROM drafts')).toHaveLength(drafts);
    expect(rows(directory, 'journal.db', 'SELECT key, subject, digest FROM written')).toEqual(written);
    expect([drafts, written.length, waiting].every((count) => count > 0)).toBe(true);
  });

  it('keeps the facts in queue.db as long as its journal.db is damaged', async () => {
    change(directory, 'journal.db', 'PRAGMA wal_checkpoint(TRUNCATE)');
    overwritePages(join(directory, 'journal.db'));
    expect(open).toThrow(expect.objectContaining({ code: 'ERR_STATE_DAMAGED' }));
    expect(open).toThrow(/journal\.db is damaged/);
    for (const end of ['', '-wal', '-shm']) rmSync(join(directory, `journal.db${end}`), { force: true });
    expect(await inStore(storedBlocks)).toHaveLength(1);
  });

  it('is refused if its queue.db is damaged, which says what is lost with it', () => {
    change(directory, 'queue.db', 'PRAGMA wal_checkpoint(TRUNCATE)');
    overwritePages(join(directory, 'queue.db'));
    expect(open).toThrow(
      /queue\.db is damaged .*orders that waited are lost; rulings and rejections, .*poll cursors, .*webhooks and the mass guard's window are lost/,
    );
  });

  it('starts without its journal.db, which was lost, and keeps the facts', async () => {
    rmSync(join(directory, 'journal.db'));
    await inStore(async (store) => {
      expect(await storedBlocks(store)).toHaveLength(1);
      expect((await store.journal.readAll()).size).toBe(0);
    });
  });
});
