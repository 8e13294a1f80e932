import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { emptyChain, extendChain } from '../../../src/decisions/chain.js';
import { parseCheckpointEvent, type StoredCheckpoint } from '../../../src/decisions/checkpoint.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { verifyIndex } from '../../../src/decisions/embedded/verify-index.js';
import { silentLogger } from '../../../src/observe.js';
import { edgeDecision } from '../../support/decisions.js';
import { beginningOf, chained, checkpointOf, verifier } from '../../support/signed-log.js';

function storedIn(event: string): StoredCheckpoint {
  const stored = parseCheckpointEvent(JSON.parse(event));
  if (stored === undefined) throw new Error('no checkpoint');
  return stored;
}

let directory: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-verify-index-'));
  const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
  const at = (day: number) => `2026-03-0${day}T10:00:00.000Z`;
  const edges = [edgeDecision('web', at(1), null, { access: 'allow' })];
  for (const [day, source] of [
    [3, 'bot'],
    [2, 'batch'],
    [4, 'web'],
  ] as const)
    edges.push(edgeDecision(source, at(day), null, { access: 'allow' }));
  await log.appendCheckpoint({ ...storedIn(beginningOf('one')), id: 'begin' });
  await log.append(chained(edges));
  await log.close();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const change = (...statements: readonly string[]) => {
  const database = new Database(join(directory, 'decisions.db'));
  for (const statement of statements) database.exec(statement);
  database.close();
};
const verify = () => verifyIndex(directory, [verifier]);

describe('what answers are made from', () => {
  it('is what the events say', () => {
    expect(verify()).toBeUndefined();
    expect(verifyIndex(join(directory, 'nowhere'), [verifier])).toBeUndefined();
  });

  it.each([
    ['a decision under another subject', "UPDATE decisions SET subject = 'intention/x' WHERE seq = 2"],
    ['a decision at another time', "UPDATE decisions SET time = '2026-03-09T10:00:00.000Z' WHERE seq = 2"],
    ['a decision under another ID', "UPDATE decisions SET id = 'x' WHERE seq = 2"],
    ['decisions before the first number of the log', 'UPDATE decisions SET seq = seq - 10'],
    ['a log without its first note', 'DELETE FROM decisions WHERE seq = 1'],
    ['a name that is left out', "DELETE FROM about WHERE kind = 'source' AND name = 'bot'"],
    [
      'a name of a subject that is another one',
      "UPDATE about SET name = 'x' WHERE kind = 'source' AND name = 'bot'",
    ],
    ['a name that is added', "INSERT INTO about VALUES ('client', 'x', (SELECT subject FROM decisions))"],
    ['a fall that is left out', 'DELETE FROM falls'],
    ['a fall that is added', "INSERT INTO falls VALUES (5, '2026-03-04T10:00:00.000Z')"],
    [
      'what a deleted decision is said to have left, which nobody signed',
      `INSERT INTO carried SELECT subject, 0, replace(event, 'allow', 'deny') FROM decisions WHERE seq = 2`,
    ],
    [
      'what a later decision left',
      'INSERT INTO carried SELECT subject, 7, event FROM decisions WHERE seq = 2',
    ],
    [
      'what a deleted decision left, under another subject',
      "INSERT INTO carried SELECT 'intention/x', 0, event FROM decisions WHERE seq = 2",
    ],
    [
      'a log that is said to lack what it has',
      `INSERT INTO topic_index VALUES (1, '{"position":"","begin":"end","chains":{},"holes":{},"gaps":[]}')`,
    ],
    ['a trigger that is gone', 'DROP TRIGGER note_about'],
    ['a trigger of somebody else', 'CREATE TRIGGER x AFTER INSERT ON decisions BEGIN DELETE FROM falls; END'],
    [
      'a table that is a view',
      "ALTER TABLE falls RENAME TO real; CREATE VIEW falls AS SELECT * FROM real WHERE time < '2026'",
    ],
    [
      'an index that is another one',
      'DROP INDEX subjects; CREATE INDEX subjects ON decisions (subject) WHERE seq > 1',
    ],
  ])('shows %s', (_, statement) => {
    change(statement);
    expect(verify()).toMatchObject({
      kind: 'changed',
      detail: expect.stringContaining('answers may be false'),
    });
  });
});

describe('what was kept of deleted decisions', () => {
  const [one, two] = [1, 2].map((day) => edgeDecision(`s${day}`, `2026-03-0${day}T10:00:00.000Z`, null, 'x'));
  const all = [one, two].filter((each) => each !== undefined);
  /** The table carried has the first decision of this log. */
  const carry = async (first: string, log = 'one') => {
    const stored = storedIn(first);
    const file = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
    change('DELETE FROM decisions', 'DELETE FROM about', 'DELETE FROM falls');
    await file.append(
      chained(
        all.map((each) => ({ ...each, id: log === 'one' ? each.id : `${each.id}${log}` })),
        log,
      ).slice(0, 1),
    );
    change('INSERT INTO carried SELECT subject, seq, event FROM decisions', 'DELETE FROM decisions');
    await file.appendCheckpoint({ ...stored, id: 'note' });
    await file.append(chained(all).slice(stored.tree.size));
    await file.close();
  };

  it('is what was before the checkpoint, or the log, with which the log begins', async () => {
    await carry(checkpointOf(extendChain(emptyChain('one'), all.slice(0, 1)).head));
    expect(verify()).toBeUndefined();
    change("UPDATE carried SET event = replace(event, 'ScopeRevoked', 'ScopeGranted')");
    expect(verify()?.detail).toContain('none of the keys signed a decision in the table carried');
    change('DELETE FROM carried');
    await carry(beginningOf('one', { log: 'zero', size: 1 }), 'zero');
    expect(verify()).toBeUndefined();
  });

  it.each([
    ['a decision that the log still has', 'one', 'under another subject, or one that the log still has'],
    ['a decision of another log of the same key', 'zero', 'from before the log, which is whole'],
  ])('is not %s', async (_, log, why) => {
    await carry(beginningOf('one'), log);
    expect(verify()?.detail).toContain(why);
  });
});
