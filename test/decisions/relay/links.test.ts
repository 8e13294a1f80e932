import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { openKept } from '../../../src/decisions/checkpoint.js';
import { Checkpoints } from '../../../src/decisions/checkpoints.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import type { DecisionLog } from '../../../src/decisions/log.js';
import { type KeptNote, Publication } from '../../../src/decisions/publication.js';
import { toTrailRecord } from '../../../src/decisions/trail-record.js';
import type { TrailReport } from '../../../src/decisions/verify-trail.js';
import { configError } from '../../../src/errors.js';
import { type Logger, noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import type { KeyValueStore } from '../../../src/queue/key-value-store.js';
import { decisions } from '../../support/decisions.js';
import { signer, stranger, verifier } from '../../support/signed-log.js';
import { verifyTrail } from '../../support/verify-trail.js';

const said: unknown[] = [];
const logger: Logger = { ...silentLogger, warn: (fields, message) => said.push([fields, message]) };
const runtime = { logger, metrics: noMetrics, clock: systemClock };
let directory: string;
let note: string | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-links-'));
  note = undefined;
  said.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const kept: KeptNote = {
  read: async () => (note === undefined ? undefined : openKept([verifier], note)),
  write: async (text) => {
    note = text;
  },
};

/** Publishes through the store and the log with these names. */
async function publish(
  store: string,
  log: string,
  count: number,
  by = () => signer,
  answers: Partial<DecisionLog> = {},
  values: Partial<KeyValueStore> = {},
): Promise<void> {
  const opened = createEmbeddedStore({ directory: join(directory, store), ...runtime });
  const to = openLog(log);
  const { journal } = opened;
  const keyValues = Object.assign(opened.keyValues, values);
  const deps = {
    ...runtime,
    owner: 'payments',
    journal,
    keyValues,
    log: Object.assign(to, answers),
    signer: by,
    kept,
  };
  try {
    await journal.settle('destination/default/default/orders', decisions(count));
    const publication = new Publication(deps);
    while ((await publication.moveBatch()) > 0);
    await new Checkpoints(deps).sign(publication.head);
  } finally {
    await to.close();
    await opened.close();
  }
}

const broken = () => {
  throw configError('the key is broken');
};

const openLog = (log: string): DecisionLog =>
  createEmbeddedDecisionLog({ directory: join(directory, log), ...runtime });

async function verify(log: string, verifiers = [verifier]): Promise<TrailReport> {
  const opened = openLog(log);
  const records = [];
  for await (const event of opened.readEvents({ from: 'start', follow: false }, AbortSignal.timeout(20_000)))
    records.push(toTrailRecord(event));
  await opened.close();
  return verifyTrail(records, { verifiers, kept: await kept.read() });
}

it.each(['there', 'lost'])(
  'a log of a lost store follows the log that is there, if the note is %s',
  async (is) => {
    await publish('one', 'log', 20);
    expect(said).toEqual([]);
    if (is === 'lost') note = undefined;
    await publish('two', 'log', 3);
    const { logs, fault } = await verify('log');
    expect(fault).toBeUndefined();
    expect(logs.map(({ last, follows }) => [last, follows?.size])).toEqual([
      [20, undefined],
      [3, 20],
    ]);
    expect(logs[1]?.follows?.log).toBe(logs[0]?.log);
    expect(said).toEqual([
      [
        { log: logs[0]?.log, size: 20, found: expect.objectContaining({ sequence: 20 }) },
        expect.stringContaining('(decisions.signingKeyFile, trustedKeys): its hash chain begins again'),
      ],
    ]);
  },
);

it('a log that cannot say where it ends goes on as the store says', async () => {
  await publish('one', 'log', 2);
  await publish('one', 'log', 3, () => signer, { lastLink: async () => 'unknown' });
  expect(await verify('log')).toMatchObject({ logs: [{ first: 1, last: 5 }] });
});

it('a store that was restored with decisions that wait gives none of them to the log again', async () => {
  await expect(publish('one', 'log', 5, broken)).rejects.toThrow();
  cpSync(join(directory, 'one'), join(directory, 'backup'), { recursive: true });
  await publish('one', 'log', 1);
  await publish('backup', 'log', 1);
  const { decisions: count, logs, fault } = await verify('log');
  expect(fault).toBeUndefined();
  expect(count).toBe(7);
  expect(logs).toMatchObject([{ last: 6 }, { last: 1, follows: { log: logs[0]?.log, size: 6 } }]);
});

it('a second relay of a store stops before it sends anything', async () => {
  const lost = { replace: async () => false };
  await expect(publish('one', 'log', 1, () => signer, {}, lost)).rejects.toMatchObject({
    code: 'ERR_INTERNAL',
    retriable: true,
    message:
      'Another process publishes the decisions of this store. Only one relay may run: stop the other one.',
  });
  expect(await verify('log')).toMatchObject({ decisions: 0, logs: [] });
});

it('a log of a lost store and a lost log follows what the note outside of both says', async () => {
  await publish('one', 'log', 20);
  const before = await kept.read();
  await publish('two', 'other log', 3);
  const { logs, fault } = await verify('other log');
  expect(fault).toBeUndefined();
  expect(logs).toMatchObject([{ last: 3, follows: { log: before?.log, size: 20 } }]);
  // The former log does not have what is newest.
  note = note ?? '';
  expect((await verify('log')).fault).toMatchObject({ kind: 'removed' });
});

it('a log of a store whose log was lost follows the lost one', async () => {
  await publish('one', 'log', 2);
  const before = await kept.read();
  note = undefined;
  await publish('one', 'other log', 3);
  const { logs, fault } = await verify('other log');
  expect(fault).toBeUndefined();
  expect(logs).toMatchObject([{ first: 1, last: 3, follows: { log: before?.log, size: 2 } }]);
});

it('a store that was restored gives no number twice, and its log has each decision once', async () => {
  await publish('one', 'log', 2);
  cpSync(join(directory, 'one'), join(directory, 'backup'), { recursive: true });
  await publish('one', 'log', 3);
  await publish('backup', 'log', 4);
  const { decisions: count, logs, fault } = await verify('log');
  expect(fault).toBeUndefined();
  expect(count).toBe(9);
  expect(logs).toMatchObject([
    { first: 1, last: 5 },
    { first: 1, last: 4, follows: { log: logs[0]?.log, size: 5 } },
  ]);
});

it('a note that another key signed names no log', async () => {
  await publish('one', 'log', 2, () => stranger);
  await publish('two', 'other log', 3);
  expect((await verify('other log')).logs.map(({ follows }) => follows)).toEqual([undefined]);
});

it('a replica with a key of its own goes on in the same log, for those who trust both keys', async () => {
  await publish('one', 'log', 2);
  await publish('one', 'log', 2, () => stranger);
  expect((await verify('log')).fault).toMatchObject({ kind: 'unsigned', sequence: 3 });
});

it('nothing is published while the key cannot be used, and all of it afterwards', async () => {
  await expect(publish('one', 'log', 5, broken)).rejects.toThrow('the key is broken');
  expect(await verify('log')).toMatchObject({ decisions: 0, logs: [] });
  await publish('one', 'log', 1);
  expect(await verify('log')).toMatchObject({ decisions: 6, logs: [{ first: 1, last: 6 }] });
});
