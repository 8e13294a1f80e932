import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { extendSigned } from '../../../src/decisions/batch-proof.js';
import { emptyChain, toStoredText } from '../../../src/decisions/chain.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { EmbeddedTopicIndex } from '../../../src/decisions/embedded/embedded-topic-index.js';
import { openEmbeddedTrail } from '../../../src/decisions/embedded/embedded-trail.js';
import { copyTopic } from '../../../src/decisions/embedded/topic-copy.js';
import { toCloudEvent } from '../../../src/decisions/envelope.js';
import type { LogParts } from '../../../src/decisions/log.js';
import type { Decision } from '../../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { whoCanCall } from '../../../src/trail/who-can-call.js';
import { decision } from '../../support/decisions.js';
import { createMovableClock } from '../../support/movable-clock.js';
import { chained, neighbour, neighbourVerifier, signer, verifier } from '../../support/signed-log.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-trail-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const DAY = 86_400_000;
const ALLOW = { access: 'allow' };
const start = Date.parse('2026-01-01T00:00:00.000Z');
const onDay = (day: number) => new Date(start + day * DAY).toISOString();

/** An edge of a source to orders on a day. */
function edge(source: string, day: number, changes: Partial<Decision>): Decision {
  const resource = {
    kind: 'intention' as const,
    source,
    destination: 'orders',
    namespace: 'default',
    partition: 'default',
  };
  const subject = `intention/default/default/orders/${source}`;
  return decision({ subject, resource, time: onDay(day), ...changes });
}

const OPENED = { before: null, after: ALLOW };
const CLOSED = { before: ALLOW, after: null };
const HISTORY = [
  edge('web', 1, OPENED),
  edge('batch', 2, OPENED),
  edge('batch', 3, CLOSED),
  edge('bot', 4, OPENED),
  edge('bot', 500, CLOSED),
  edge('late', 501, OPENED),
];

async function append(decisions: readonly Decision[], keepDays?: number): Promise<void> {
  const clock = createMovableClock();
  clock.advance(start + 502 * DAY - clock.now());
  const keep = keepDays === undefined ? {} : { keepMs: keepDays * DAY };
  const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock, ...keep });
  await log.append(decisions);
  await log.close();
}

const open = () => openEmbeddedTrail({ directory, logger: silentLogger, clock: createMovableClock() });
const copy = (
  cut: readonly string[],
  events: LogParts['events'],
  verifiers = [verifier],
  stop = new AbortController(),
) =>
  copyTopic(
    { check: async () => {}, readParts: async () => ({ cut, events, position: () => '' }) },
    { logger: silentLogger, metrics: noMetrics, clock: systemClock, verifiers },
    stop.signal,
  );

async function callers(day: number): Promise<readonly string[]> {
  const trail = await open();
  try {
    return (await whoCanCall(trail, 'orders', onDay(day))).callers.map(({ source }) => source);
  } finally {
    await trail.close();
  }
}

describe('the index of the embedded log', () => {
  it('knows what was there before decisions were deleted, and refuses to answer for that time', async () => {
    await append(HISTORY, 100);
    expect(await callers(500)).toEqual(['web']);
    expect(await callers(502)).toEqual(['late', 'web']);
    await expect(callers(2)).rejects.toThrow('the trail begins at');
    const database = new Database(join(directory, 'decisions.db'));
    const rows = (sql: string) => database.prepare<unknown[]>(sql).all();
    expect(rows('SELECT DISTINCT subject FROM carried')).toHaveLength(2);
    expect(rows("SELECT 1 FROM about WHERE name = 'batch'")).toEqual([]);
    database.close();
  });

  it('ends with the last decision, and not with the checkpoint that signs it', async () => {
    await append(HISTORY);
    const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: createMovableClock() });
    const tree = { size: 1, roots: [Buffer.alloc(32)] };
    await log.appendCheckpoint({ id: 'c', time: onDay(600), source: 's', log: 'one', note: 'n', tree });
    await log.close();
    const trail = await open();
    expect(await trail.extent()).toMatchObject({ last: onDay(501) });
    await trail.close();
  });

  it('forgets what somebody else removed before decisions were deleted', async () => {
    const gone = { outcome: 'observed', reason: 'RemovedElsewhere', ...CLOSED } as const;
    await append([edge('web', 1, OPENED), edge('web', 2, gone), edge('late', 501, OPENED)], 100);
    expect(await callers(502)).toEqual(['late']);
  });

  it('answers from a copy of a topic with all of a log that another owner goes on in', async () => {
    const { head, chained: own } = extendSigned(emptyChain('one'), [edge('web', 1, OPENED)], signer);
    const theirs = edge('bot', 2, { ...OPENED, source: 'scopemesh/other/a' });
    const all = [
      ...own,
      ...extendSigned(head, [theirs], neighbour).chained,
      ...extendSigned(head, [edge('web', 3, CLOSED)], signer).chained,
    ];
    async function* events() {
      for (const each of all) yield { part: '0', event: toStoredText(each) };
    }
    const trail = await copy([], events(), [verifier, neighbourVerifier]);
    const { callers: found } = await whoCanCall(trail, 'orders', onDay(4));
    expect(found.map(({ source }) => source)).toEqual(['bot']);
    await trail.close();
  });

  it('answers from a copy of a topic, whose partitions come in any order', async () => {
    const all = chained(HISTORY);
    async function* events() {
      for (const each of all.toReversed()) yield { part: '0', event: JSON.stringify(toCloudEvent(each)) };
      yield { part: '0', event: 'no event at all' };
      yield { part: '0', event: JSON.stringify(toCloudEvent(all[0] ?? decision())) };
    }
    const trail = await copy([], events());
    const { callers: found } = await whoCanCall(trail, 'orders', onDay(4));
    expect(found.map(({ source }) => source)).toEqual(['bot', 'web']);
    const ids: string[] = [];
    for await (const { id } of trail.history('all', {})) ids.push(id);
    expect(ids).toEqual(HISTORY.map(({ id }) => id).toReversed());
    await trail.close();
  });

  it.each([
    ['a decision', 3],
    ['the beginning of the log', 0],
  ])('answers from a copy with what it has, where %s is missing and will not come', async (_, lost) => {
    const all = chained(HISTORY);
    const left = all.filter((__, at) => at !== lost);
    async function* events() {
      for (const each of left) yield { part: '0', event: JSON.stringify(toCloudEvent(each)) };
    }
    const trail = await copy([], events());
    const ids: string[] = [];
    for await (const { id } of trail.history('all', {})) ids.unshift(id);
    expect(ids).toEqual(left.map(({ id }) => id));
    await trail.close();
  });

  it('has in a copy of a cut topic the decisions of each owner, however late one of them begins', async () => {
    const [, , ...late] = chained(HISTORY, '01JAAAAAAAAAAAAAAAAAAAAAAA');
    const whole = chained([edge('first', 0, OPENED)], '01JBBBBBBBBBBBBBBBBBBBBBBB');
    async function* events() {
      for (const each of [...whole, ...late]) yield { part: '0', event: JSON.stringify(toCloudEvent(each)) };
    }
    const trail = await copy(['0'], events());
    const found = (await whoCanCall(trail, 'orders', onDay(502))).callers.map(({ source }) => source);
    expect(found).toEqual(['first', 'late']);
    await trail.close();
  });

  it('gives no answer from a copy whose reading a signal ended, and leaves no copy behind', async () => {
    const stop = new AbortController();
    async function* events() {
      yield { part: '0', event: JSON.stringify(toCloudEvent(decision())) };
      stop.abort(new Error('stopped'));
    }
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv('TMPDIR', directory);
    await expect(copy([], events(), [verifier], stop)).rejects.toThrow('stopped');
    expect(readdirSync(directory)).toEqual([]);
    const trail = await copy([], events());
    expect(readdirSync(directory)).toEqual([expect.stringMatching(/^scopemesh-trail-/)]);
    expect(await trail.extent()).toMatchObject({ isCut: false });
    await trail.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each([
    ['the latest beginning of a cut partition', ['0', '1'], onDay(4)],
    ['its end, if a cut partition has nothing left', ['0', '2'], onDay(501)],
  ])('answers from a copy of a cut topic from %s', async (_, cut, begin) => {
    async function* events() {
      for (const [at, each] of chained(HISTORY).entries())
        yield { part: at < 3 ? '0' : '1', event: JSON.stringify(toCloudEvent(each)) };
    }
    const trail = await copy(cut, events());
    expect(await trail.extent()).toEqual({ first: begin, last: onDay(501), isCut: true, isForgetful: true });
    await expect(whoCanCall(trail, 'orders', onDay(3))).rejects.toThrow('the retention of the topic');
    const { unknown } = await whoCanCall(trail, 'orders', onDay(502));
    expect(unknown).toContain(
      `The topic deleted decisions from before ${begin}: edges that were opened before that may be missing.`,
    );
    await trail.close();
  });

  it('makes an empty log where none is, and no index', async () => {
    const asIndex = () =>
      openEmbeddedTrail({ directory, logger: silentLogger, clock: systemClock, isIndex: true });
    const refused = {
      code: 'ERR_CONFIG',
      message: expect.stringMatching(
        `no complete index of the topic in ${directory}: .* run this where it runs, or add --from-topic`,
      ),
    };
    await expect(asIndex()).rejects.toMatchObject(refused);
    expect(readdirSync(directory)).toEqual([]);
    const trail = await open();
    expect(await trail.extent()).toEqual({ first: undefined, last: undefined, isCut: false });
    expect((await whoCanCall(trail, 'orders', onDay(1))).callers).toEqual([]);
    await trail.close();
    // A log that follows no topic is no index.
    await append(HISTORY);
    await expect(asIndex()).rejects.toMatchObject(refused);
  });

  it('says that it cannot be read, and that a decision is gone, as what may pass', async () => {
    const unreadable = { code: 'ERR_DECISIONS_UNREACHABLE', retriable: true };
    await append(HISTORY);
    const trail = await open();
    await expect(trail.next('s', { id: 'gone' })).rejects.toMatchObject({
      ...unreadable,
      message: 'the decision gone was deleted meanwhile; ask again.',
    });
    await trail.close();
    await expect(trail.decision('gone')).rejects.toMatchObject(unreadable);
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    writeFileSync(join(directory, 'decisions.db'), 'no database'.repeat(1_000));
    let isClosed = false;
    const onClosed = () => {
      isClosed = true;
    };
    const options = { directory, logger: silentLogger, clock: systemClock, isIndex: true, onClosed };
    await expect(openEmbeddedTrail(options)).rejects.toMatchObject({
      ...unreadable,
      message: expect.stringMatching(/decisions.db cannot be read \(.+\); check its permissions/),
    });
    expect(isClosed).toBe(true);
  });

  it('makes each call of SQLite in the way that it was given', async () => {
    await append(HISTORY);
    let calls = 0;
    const inCall = <T>(call: () => T): T => {
      calls++;
      return call();
    };
    const trail = await openEmbeddedTrail({ directory, logger: silentLogger, clock: systemClock, inCall });
    const opened = calls;
    await trail.decision(HISTORY[0]?.id ?? '');
    expect([opened > 0, calls]).toEqual([true, opened + 1]);
    await trail.close();
    expect(calls).toBe(opened + 2);
  });

  it('says how far an index of a topic reaches, and what it waits for', async () => {
    const clock = createMovableClock();
    const until = onDay(502);
    const runtime = { logger: silentLogger, metrics: noMetrics, clock };
    const index = new EmbeddedTopicIndex({ ...runtime, directory, verifiers: [verifier] });
    const later = [5, 6, 7].map((day) => edge('other', day, OPENED));
    const left = [...chained(later, 'two').toSpliced(1, 1), ...chained(HISTORY).toSpliced(2, 1)];
    async function* events() {
      for (const each of left) yield { part: '0', event: toStoredText(each) };
    }
    await index.take({ cut: [], events: events(), position: () => '' }, until, new AbortController().signal);
    await index.close();
    const extentAt = async (ms: number) => {
      const at = { now: () => Date.parse(until) + ms };
      const trail = await openEmbeddedTrail({ directory, logger: silentLogger, clock: at, isIndex: true });
      return trail.extent().finally(() => trail.close());
    };
    expect((await extentAt(60_000)).index).toEqual({
      until,
      isBehind: false,
      gaps: [{ after: onDay(2), until }],
    });
    expect((await extentAt(60_001)).index?.isBehind).toBe(true);
    expect((await extentAt(-60_001)).index?.isBehind).toBe(true);
  });

  it('gives what proves a decision: all events from the checkpoint before it on', async () => {
    const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: createMovableClock() });
    const many = Array.from({ length: 450 }, (_, at) => edge(`source-${at}`, 1, OPENED));
    const tree = { size: 1, roots: [Buffer.alloc(32)] };
    const sign = (id: string) =>
      log.appendCheckpoint({ id, time: onDay(1), source: 's', log: 'one', note: 'n', tree });
    await log.append(many.slice(0, 10));
    await sign('first');
    await log.append(many.slice(10, 20));
    await sign('second');
    await log.append(many.slice(20));
    await log.close();
    const trail = await open();
    const around = async (id = '') => {
      const ids: string[] = [];
      for await (const event of trail.eventsAround(id)) ids.push(JSON.parse(event).id);
      return ids;
    };
    const ids = many.map(({ id }) => id);
    const later = ['second', ...ids.slice(20)];
    expect(await around(ids[449])).toEqual(later);
    expect(await around(ids[15])).toEqual(['first', ...ids.slice(10, 20), ...later]);
    expect(await around(ids[0])).toEqual([...ids.slice(0, 10), 'first', ...ids.slice(10, 20), ...later]);
    expect(await around('gone')).toEqual([]);
    await trail.close();
  });

  it('is right where the clock was set back', async () => {
    await append([
      edge('web', 10, OPENED),
      edge('batch', 11, OPENED),
      edge('web', 2, CLOSED),
      edge('bot', 3, OPENED),
      edge('bot', 12, CLOSED),
      edge('batch', 4, CLOSED),
    ]);
    expect(await callers(1)).toEqual([]);
    expect(await callers(3)).toEqual(['batch', 'bot']);
    expect(await callers(4)).toEqual([]);
    expect(await callers(13)).toEqual([]);
  });

  it('finds the decisions of a name between two instants, newest first', async () => {
    await append(HISTORY);
    const trail = await open();
    const found: string[] = [];
    for await (const { resource, time } of trail.history(
      { kind: 'destination', name: 'orders' },
      { from: onDay(2), to: onDay(4) },
    ))
      found.push(`${resource.source} ${time}`);
    expect(found).toEqual([`bot ${onDay(4)}`, `batch ${onDay(3)}`, `batch ${onDay(2)}`]);
    await trail.close();
  });

  it('gives the decisions of many subjects of a name in the order of the log', async () => {
    const sources = Array.from({ length: 210 }, (_, index) => `source-${index}`);
    const written = [...sources, ...sources.toReversed(), ...sources].map((source, index) =>
      edge(source, index / 10, index % 2 === 0 ? OPENED : CLOSED),
    );
    await append(written);
    const trail = await open();
    const between = { from: written[5]?.time, to: written.at(-6)?.time };
    const found: string[] = [];
    for await (const { id } of trail.history({ kind: 'destination', name: 'orders' }, between))
      found.push(id);
    expect(found).toEqual(
      written
        .slice(5, -5)
        .map(({ id }) => id)
        .toReversed(),
    );
    await trail.close();
  });
});
