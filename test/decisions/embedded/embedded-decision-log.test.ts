import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { ulid } from 'ulid';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { extendSigned } from '../../../src/decisions/batch-proof.js';
import { emptyChain, toStoredText } from '../../../src/decisions/chain.js';
import { originOf, signCheckpoint } from '../../../src/decisions/checkpoint.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { createNoteSigner, createNoteVerifier } from '../../../src/decisions/signed-note.js';
import { toTrailRecord } from '../../../src/decisions/trail-record.js';
import { SyncError } from '../../../src/errors.js';
import { silentLogger } from '../../../src/observe.js';
import { describeDecisionLog } from '../../conformance/decision-log.js';
import { decision, decisions } from '../../support/decisions.js';
import { createMovableClock } from '../../support/movable-clock.js';
import { verifyTrail } from '../../support/verify-trail.js';

const open = (directory: string) =>
  createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });

async function createTopic() {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-decisions-'));
  return {
    directory,
    open: () => open(directory),
    async dispose() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

describeDecisionLog('on SQLite', createTopic);

describe('the embedded decision log', () => {
  it('tells a reader that goes on where decisions were deleted, and one that has a position of another file', async () => {
    const topic = await createTopic();
    const day = 86_400_000;
    const clock = createMovableClock();
    const log = createEmbeddedDecisionLog({
      directory: topic.directory,
      logger: silentLogger,
      clock,
      keepMs: 10 * day,
    });
    const at = (days: number) => new Date(clock.now() - days * day).toISOString();
    const [a, b, c, d] = [30, 20, 5, 1].map((days) => decision({ time: at(days) }));
    const everything = [a, b, c, d].flatMap((each) => each ?? []);
    await log.append(everything.slice(0, 2));
    clock.advance(2 * 3_600_000);
    await log.append(everything.slice(2));
    const firstOf = async (position: string) => {
      for await (const each of log.readFrom(position, AbortSignal.timeout(60_000)))
        return [each.position, each.isAfterGap ?? false];
      return [];
    };
    // The log was empty at this position.
    expect(await firstOf('0')).toEqual([c?.id, true]);
    expect(await firstOf('1')).toEqual([c?.id, true]);
    expect(await firstOf('2')).toEqual([c?.id, false]);
    expect(await firstOf(c?.id ?? '')).toEqual([d?.id, false]);
    expect(await firstOf(b?.id ?? '')).toEqual([c?.id, true]);
    expect(await firstOf('99')).toEqual([c?.id, true]);
    // What somebody else changed does not stop a reader.
    const file = new Database(join(topic.directory, 'decisions.db'));
    file.prepare("UPDATE decisions SET event = 'no JSON' WHERE id = ?").run(d?.id);
    file.close();
    expect(await firstOf(c?.id ?? '')).toEqual(['4', false]);
    await log.close();
    await topic.dispose();
  });

  it('deletes decisions that are older than it keeps them, and never the newest', async () => {
    const topic = await createTopic();
    const day = 86_400_000;
    const clock = createMovableClock();
    const log = createEmbeddedDecisionLog({
      directory: topic.directory,
      logger: silentLogger,
      clock,
      keepMs: 10 * day,
    });
    const at = (days: number) => new Date(clock.now() - days * day).toISOString();
    const ids = async () => {
      const found = [];
      for await (const { id } of log.read({ from: 'start', follow: false }, new AbortController().signal))
        found.push(id);
      return found;
    };
    const old = decisions(250).map((each) => ({ ...each, time: at(11) }));
    const kept = decision({ subject: 'kept', time: at(9) });
    await log.append([...old, kept]);
    expect(await ids()).toEqual([kept.id]);
    const position = await log.position();
    clock.advance(20 * day);
    await log.append([]);
    expect(await ids()).toEqual([kept.id]);
    expect(await log.position()).toBe(position);
    await log.close();
    await topic.dispose();
  });

  it('deletes up to a checkpoint, so that the rest can be verified', async () => {
    const topic = await createTopic();
    const day = 86_400_000;
    const clock = createMovableClock();
    const { directory } = topic;
    const keepMs = 10 * day;
    const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock, keepMs });
    const signer = createNoteSigner(
      'scopemesh/payments',
      String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
    );
    let head = emptyChain('one');
    const append = async (daysAgo: number, count: number, isSigned = true) => {
      const time = new Date(clock.now() - daysAgo * day).toISOString();
      const next = extendSigned(
        head,
        decisions(count).map((each) => ({ ...each, time })),
        signer,
      );
      head = next.head;
      await log.append(next.chained);
      const note = signCheckpoint(signer, originOf('payments', 'one'), head);
      const { tree } = head;
      if (isSigned) await log.appendCheckpoint({ id: ulid(), time, source: 's', log: 'one', note, tree });
    };
    await append(13, 120);
    await append(12, 130);
    await append(11, 5, false);
    await append(9, 5);
    clock.advance(3_600_001);
    await append(0, 1);
    const records = [];
    for await (const event of log.readEvents({ from: 'start', follow: false }, AbortSignal.timeout(20_000)))
      records.push(toTrailRecord(event));
    const verifier = createNoteVerifier(signer.verifierKey);
    const report = verifyTrail(records, { verifiers: [verifier] });
    expect(report).toMatchObject({ decisions: 11, logs: [{ first: 251, last: 261 }] });
    expect(report.fault).toBeUndefined();
    await log.close();
    await topic.dispose();
  });

  it('keeps one of a decision that is appended twice', async () => {
    const topic = await createTopic();
    const log = topic.open();
    const written = decisions(3);
    await log.append(written);
    await log.append([...written, decision({ subject: 'new' })]);
    const read = [];
    for await (const each of log.read({ from: 'start', follow: false }, new AbortController().signal)) {
      read.push(each.id);
    }
    expect(read).toHaveLength(4);
    await log.close();
    await topic.dispose();
  });

  it('keeps nobody waiting while another process holds the file, and appends in the order of the calls', async () => {
    const topic = await createTopic();
    const log = topic.open();
    await log.check();
    const other = new Database(join(topic.directory, 'decisions.db'));
    other.exec('BEGIN IMMEDIATE');
    const [first, second] = [decision({ subject: 'first' }), decision({ subject: 'second' })];
    const appended = Promise.all([log.append([first]), log.append([second])]);
    await new Promise((resolve) => setImmediate(resolve));
    // Had the append kept the event loop, it would have failed by now.
    other.exec('COMMIT');
    other.close();
    await appended;
    const read = [];
    for await (const { subject } of log.read({ from: 'start', follow: false }, new AbortController().signal))
      read.push(subject);
    expect(read).toEqual(['first', 'second']);
    await log.close();
    await topic.dispose();
  });

  it.each(['-1', '-9007199254740993', '-9223372036854775808'])(
    'is read from its first row, also from one that somebody put at %s',
    async (seq) => {
      const topic = await createTopic();
      const log = topic.open();
      const [written, put] = [decision({ revision: 1 }), decision({ revision: 2 })];
      await log.append([written]);
      const file = new Database(join(topic.directory, 'decisions.db'));
      const insert = file.prepare(`INSERT INTO decisions VALUES (${seq}, ?, ?, ?, ?)`);
      insert.run(put.id, put.time, put.subject, toStoredText(put));
      file.close();
      const seen: string[] = [];
      const everything = { from: 'start', follow: false } as const;
      for await (const each of log.read(everything, AbortSignal.timeout(60_000))) seen.push(each.id);
      expect(seen).toEqual([put.id, written.id]);
      await log.close();
      await topic.dispose();
    },
  );

  it('has all of a batch or nothing', async () => {
    const topic = await createTopic();
    const log = topic.open();
    await log.check();
    const other = new Database(join(topic.directory, 'decisions.db'));
    other.exec(`CREATE TRIGGER refuse BEFORE INSERT ON decisions WHEN NEW.subject = 'refused'
      BEGIN SELECT RAISE(ABORT, 'refused'); END`);
    other.close();
    const refused = decision({ subject: 'refused' });
    await expect(log.append([...decisions(300), refused])).rejects.toBeInstanceOf(SyncError);
    await log.append([decision({ subject: 'after' })]);
    const read = [];
    for await (const { subject } of log.read({ from: 'start', follow: false }, new AbortController().signal))
      read.push(subject);
    expect(read).toEqual(['after']);
    await log.close();
    await topic.dispose();
  });

  it('can be read by nobody but its owner', async () => {
    const topic = await createTopic();
    const log = topic.open();
    await log.append([decision()]);
    expect(statSync(join(topic.directory, 'decisions.db')).mode & 0o077).toBe(0);
    expect(statSync(join(topic.directory, 'decisions.db-wal')).mode & 0o077).toBe(0);
    await log.close();
    await topic.dispose();
  });

  it('says what to look at when its directory cannot be used', async () => {
    const log = open('/dev/null/decisions');
    const error = await log.check().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SyncError);
    expect(error).toMatchObject({ code: 'ERR_DECISIONS_UNREACHABLE', retriable: true });
  });

  it('does nothing more once it is closed', async () => {
    const topic = await createTopic();
    const log = topic.open();
    await log.close();
    await expect(log.append([decision()])).rejects.toMatchObject({ code: 'ERR_DECISIONS_UNREACHABLE' });
    await topic.dispose();
  });

  it('goes on behind any event of it, by its ID or its number, and misses no number that it never gave', async () => {
    const { directory, ...topic } = await createTopic();
    const log = topic.open();
    await log.append(Array.from({ length: 12 }, (_, at) => decision({ id: `x${at + 1}` })));
    const file = new Database(join(directory, 'decisions.db'));
    file.exec('DELETE FROM decisions WHERE seq = 5');
    file.close();
    const firstOf = async (position: string) => {
      for await (const each of log.readFrom(position, AbortSignal.timeout(60_000)))
        return [each.position, each.isAfterGap ?? false];
      return [];
    };
    for (const position of ['11', 'x11']) expect(await firstOf(position)).toEqual(['x12', false]);
    expect(await firstOf('x4')).toEqual(['x6', false]);
    const last = firstOf('12');
    await log.append([decision({ id: 'x13' })]);
    expect(await last).toEqual(['x13', false]);
    const ids: string[] = [];
    const behind = (id: string) =>
      log.read({ from: 'start', after: id, follow: false }, new AbortController().signal);
    for await (const { id } of behind('x11')) ids.push(id);
    expect(ids).toEqual(['x12', 'x13']);
    await expect(behind('gone')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'ERR_EVENT_INVALID',
      message: 'The decision log has no event gone.',
    });
    await log.close();
    await topic.dispose();
  });

  it('is one part without a cut, which has what was there when the read began', async () => {
    const topic = await createTopic();
    const log = topic.open();
    expect(await log.lastLink('one', 0)).toBeUndefined();
    const { head, chained } = extendSigned(
      emptyChain('one'),
      decisions(3),
      createNoteSigner(
        'scopemesh/payments',
        String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
      ),
    );
    await log.append(chained);
    const { tree } = head;
    await log.appendCheckpoint({
      id: 'c',
      time: chained[2]?.time ?? '',
      source: 's',
      log: 'one',
      note: 'n',
      tree,
    });
    // A checkpoint is no link of the chain.
    expect(await log.lastLink('one', 0)).toEqual(chained[2]?.chain);
    const { cut, events, position } = await log.readParts(new AbortController().signal);
    const parts: unknown[] = [];
    for await (const { part, event } of events) {
      parts.push([part, JSON.parse(event).id]);
      await log.append([decision()]);
    }
    expect(parts).toEqual([...chained.map(({ id }) => id), 'c'].map((id) => ['0', id]));
    expect([cut, position()]).toEqual([[], '4']);
    await log.close();
    await topic.dispose();
  });
});
