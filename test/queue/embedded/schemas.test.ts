import { join } from 'node:path';
import Database from 'libsql';
import { beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { overwriteFirstPage, overwritePages } from '../../support/overwrite-pages.js';
import { newDirectory } from '../../support/use-directory.js';

let directory: string;
beforeEach(async () => {
  directory = newDirectory();
  const store = open();
  await store.keyValues.set('cursor', '8');
  await store.close();
  for (const file of ['queue.db', 'journal.db']) change(file, 'PRAGMA wal_checkpoint(TRUNCATE)');
});

const open = () =>
  createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock: systemClock });

function change(file: string, statements: string): void {
  const database = new Database(join(directory, file));
  database.exec(statements);
  database.close();
}

it('a damaged queue.db is said to lose only what it holds', () => {
  overwriteFirstPage(join(directory, 'queue.db'));
  expect(open).toThrow(/queue\.db is damaged .*; events and orders that waited are lost\.$/);
});

it('a damaged journal.db is refused, and the message says what is lost without it', () => {
  overwritePages(join(directory, 'journal.db'));
  expect(open).toThrow(expect.objectContaining({ code: 'ERR_STATE_DAMAGED' }));
  expect(open).toThrow(
    /journal\.db is damaged .*rulings and rejections, .*poll cursors, .*webhooks and the mass guard's window are lost/,
  );
});

it.each(['queue.db', 'journal.db'])('a %s of another version is refused, and left as it is', async (file) => {
  change(file, 'PRAGMA user_version = 7');
  expect(open).toThrow(new RegExp(`${file.replace('.', '\\.')} cannot be used: another scopemesh wrote it`));
  change(file, 'PRAGMA user_version = 1');
  const store = open();
  expect(await store.keyValues.get('cursor')).toBe('8');
  await store.close();
});
