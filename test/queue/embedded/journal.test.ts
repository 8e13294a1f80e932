import { afterEach, beforeEach, expect, it } from 'vitest';
import { EmbeddedJournal } from '../../../src/queue/embedded/journal.js';
import { JOURNAL_FILE } from '../../../src/queue/embedded/schemas.js';
import { StateFile } from '../../../src/queue/embedded/state-file.js';
import { draft, settled } from '../../conformance/journal.js';
import { newDirectory } from '../../support/use-directory.js';

const KEPT = { ids: 20, subjects: 10, tidyEvery: 5 };

let directory: string;
let file: StateFile;
let journal: EmbeddedJournal;
const open = () => {
  file = new StateFile(directory, JOURNAL_FILE, async () => {});
  journal = new EmbeddedJournal(file, KEPT);
};
beforeEach(() => {
  directory = newDirectory();
});
afterEach(() => file.close());
const count = (table: string) => file.sql(`SELECT count(*) AS n FROM ${table}`).first()?.integer('n') ?? 0;
const idle = () => file.write(() => {});

it('stores a revision as an integer', async () => {
  open();
  await journal.settle('key', [settled('first', 's')]);
  await journal.settle('key', [settled('second', 's')]);
  const bodies = file.read(() => file.sql('SELECT body FROM decisions ORDER BY seq').all());
  expect(bodies.map((row) => /"revision":(.*)\}$/.exec(row.text('body'))?.[1])).toEqual(['1', '2']);
});

it('remembers no more subjects and ids than it may, and gives no subject a revision twice', async () => {
  open();
  const last = new Map<string, number>();
  for (let index = 0; index < 400; index++) {
    // Two of the subjects come back again and again.
    const subject = index % 5 < 2 ? `often-${index % 5}` : `s-${(index * 7) % 90}`;
    const two = [settled(`id-${index}`, subject), settled(`also-${index}`, `t-${index % 40}`)];
    await Promise.all(two.map((each) => journal.settle('key', [each])));
    if (index % 50 === 49) {
      await file.close();
      open();
    }
    const outbox = await journal.outbox(10);
    for (const decision of outbox) {
      const before = last.get(decision.subject) ?? 0;
      if (decision.subject.startsWith('often')) expect(decision.revision).toBe(before + 1);
      else expect(decision.revision).toBeGreaterThan(before);
      last.set(decision.subject, decision.revision);
    }
    await journal.published(outbox.map(({ id }) => id));
  }
  await idle();
  expect(last.size).toBeGreaterThan(4 * KEPT.subjects);
  const most = KEPT.subjects + 2 * KEPT.tidyEvery;
  expect(Math.max(count('revisions_0'), count('revisions_1'))).toBeLessThanOrEqual(most);
  expect(count('decisions')).toBeLessThanOrEqual(KEPT.ids + 4 * KEPT.tidyEvery);
  await journal.settle('key', [settled('id-399')]);
  expect(await journal.outbox(10)).toEqual([]);
});

it('forgets nothing that was not published, however much that is', async () => {
  open();
  const ids = Array.from({ length: 200 }, (_, index) => `id-${index}`);
  for (const id of ids) await journal.settle('key', [settled(id, id)]);
  await idle();
  expect((await journal.outbox(1000)).map(({ id }) => id)).toEqual(ids);
  // Out of order, as if the log had a part of a batch whose end is unknown.
  await journal.published(['id-1', 'id-5']);
  const left = ids.filter((id) => id !== 'id-1' && id !== 'id-5');
  expect((await journal.outbox(1000)).map(({ id }) => id)).toEqual(left);
  expect((await journal.overview()).outboxLength).toBe(198);
});

it('numbers on where a transaction failed and its writes were made one by one', async () => {
  open();
  await journal.settle('key', [settled('a', 's')]);
  const failing = file.write(() => {
    throw new Error('no');
  });
  failing.catch(() => {});
  await Promise.all([
    journal.record('key', [draft('b', 's')]),
    journal.settle('key', [settled('b', 's'), settled('a', 's')]),
    journal.settle('key', [settled('c', 's')]),
  ]);
  await expect(failing).rejects.toMatchObject({ code: 'ERR_QUEUE_UNREACHABLE' });
  expect((await journal.outbox(10)).map(({ id, revision }) => [id, revision])).toEqual([
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ]);
});
