import { type TransferListItem, Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { MeshNow } from '../../src/app/blast-view.js';
import type { Question } from '../../src/daemon/answer-question.js';
import { type Asked, createQuestions, type Questions } from '../../src/daemon/questions.js';
import { noMetrics, silentLogger } from '../../src/observe.js';

/** Answers with the name that is asked about, but for what is in braces. */
const THREAD = `
  const { parentPort } = require('node:worker_threads');
  let pieces = [];
  parentPort.on('message', ({ entries, question }) => {
    if (entries) return void pieces.push(entries.length);
    const { name } = question.query;
    if (name === 'endless') for (;;);
    if (name === 'full') for (const all = []; ; ) all.push(new Array(1e5).fill(all.length));
    if (name === 'throws') throw new Error('a fault of the thread');
    if (name === 'exits') process.exit();
    if (name === 'bad') return parentPort.postMessage({ fault: 'no such name', isBadQuestion: true });
    parentPort.postMessage({ warning: 'a warning', fields: {} });
    parentPort.postMessage({ answer: name + (pieces.length > 0 ? ' ' + pieces.join('+') : '') });
  });`;

/** Is inside libsql nearly all the time, behind the gate. */
const IN_LIBSQL = `
  const { parentPort, workerData } = require('node:worker_threads');
  const Database = require('libsql');
  const select = new Database(':memory:').prepare('SELECT 1 AS a UNION ALL SELECT 2 AS a');
  import('tsx/esm/api').then(async ({ register }) => {
    register();
    const { inCall } = await import(${JSON.stringify(new URL('../../src/daemon/call-gate.ts', import.meta.url).href)});
    const call = () => {
      for (let calls = 0; calls < 100; calls++) inCall(workerData.gate, () => select.all());
      setImmediate(call);
    };
    parentPort.on('message', () => {
      parentPort.postMessage({ warning: 'it is inside', fields: {} });
      call();
    });
  });`;

const never = new AbortController().signal;
let questions: Questions;
const started: Worker[] = [];
const results = vi.fn();
const warn = vi.fn();
/** In the order in which the thread gets them. */
const asked: string[] = [];

function open(deadlineMs?: number): Questions {
  const start = () => {
    const thread = new Worker(THREAD, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } });
    started.push(thread);
    const post = thread.postMessage.bind(thread);
    thread.postMessage = (message: { question?: Question }, transfer?: readonly TransferListItem[]) => {
      if (message.question !== undefined) asked.push((message.question.query as { name: string }).name);
      post(message, transfer);
    };
    return thread;
  };
  questions = createQuestions({
    start,
    logger: { ...silentLogger, warn },
    metrics: { count: (_, labels) => results(labels?.result), gauge: vi.fn(), time: vi.fn() },
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  return questions;
}
afterEach(async () => {
  await questions.close();
  started.length = 0;
  asked.length = 0;
  vi.clearAllMocks();
});

const about = (name: string): Asked => ({
  kind: 'what-can',
  query: { name },
  now: 0,
  protectedServices: [],
});
const ask = (name: string, of = 'token:a', signal = never) => questions.ask(of, about(name), signal);
const code = (text: string) => ({ code: text });

describe('questions', () => {
  it('are answered in one thread, with its warnings logged', async () => {
    open();
    expect(await Promise.all([ask('one'), ask('two')])).toEqual(['one', 'two']);
    expect(started).toHaveLength(1);
    expect(warn).toHaveBeenCalledWith({}, 'a warning');
    await expect(ask('bad')).rejects.toMatchObject({ ...code('ERR_CONFIG'), message: 'no such name' });
    expect(await ask('three')).toBe('three');
  });

  it('take turns by principal, and one principal has four of them at most', async () => {
    open();
    const many = ['a1', 'a2', 'a3', 'a4'].map((name) => ask(name));
    await expect(ask('a5')).rejects.toMatchObject(code('ERR_BUSY'));
    const others = [ask('b1', 'token:b'), ask('b2', 'token:b'), ask('c1', 'local')];
    await Promise.all([...many, ...others]);
    expect(asked).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
    expect(await ask('a6')).toBe('a6');
    expect(results.mock.calls.flat().filter((each) => each === 'refused')).toHaveLength(1);
  });

  it('get a mesh in pieces', async () => {
    open();
    const entries = new Map(
      Array.from({ length: 250 }, (_, at) => {
        const destination = { name: `s${at}`, namespace: 'default', partition: 'default' };
        return [`s${at}`, { destination, sources: [], modifyIndex: 1, meta: {}, hasJwt: false }];
      }),
    );
    const mesh = {
      name: 'x',
      client: undefined,
      starts: [],
      owner: 'o',
      services: [],
      protectedServices: [],
    };
    const now = { ...mesh, entries, isSelected: false } as unknown as MeshNow;
    const question = { ...about('x'), mesh: async () => now };
    expect(await questions.ask('local', question, never)).toBe('x 100+100+50');
  });

  it('copy no mesh while they wait or are refused, because that holds up the event loop', async () => {
    open();
    const mesh = vi.fn(async () => {
      throw new Error('copied');
    });
    const leave = new AbortController();
    const waiting = ['endless', 'b', 'c', 'd'].map((name) =>
      questions.ask('token:a', name === 'endless' ? about(name) : { ...about(name), mesh }, leave.signal),
    );
    await expect(questions.ask('token:a', { ...about('e'), mesh }, never)).rejects.toMatchObject(
      code('ERR_BUSY'),
    );
    leave.abort(new Error('left'));
    for (const each of await Promise.allSettled(waiting)) expect(each).toMatchObject({ status: 'rejected' });
    expect(mesh).not.toHaveBeenCalled();
    await expect(questions.ask('token:a', { ...about('f'), mesh }, never)).rejects.toThrow('copied');
    expect(await ask('g')).toBe('g');
  });

  it('end at their time whatever the thread does, and the next one has another thread', async () => {
    open(2_000);
    const late = ask('endless');
    const next = ask('next', 'token:b');
    await expect(late).rejects.toMatchObject({ ...code('ERR_TIMEOUT'), retriable: true });
    expect(await next).toBe('next');
    expect(started).toHaveLength(2);
    expect(results.mock.calls.flat()).toEqual(['late', 'answered']);
  });

  it('end when their asker leaves, while they run and while they wait', async () => {
    open();
    await ask('warm');
    const [leaver, waiter] = [new AbortController(), new AbortController()];
    const running = ask('endless', 'token:a', leaver.signal);
    const waiting = ask('never begun', 'token:a', waiter.signal);
    const other = ask('other', 'token:b');
    waiter.abort(new Error('the waiter left'));
    await expect(waiting).rejects.toThrow('the waiter left');
    leaver.abort(new Error('the asker left'));
    await expect(running).rejects.toThrow('the asker left');
    expect(await other).toBe('other');
    expect(asked).toEqual(['warm', 'endless', 'other']);
    expect(results.mock.calls.flat()).toEqual(['answered', 'left', 'left', 'answered']);
  });

  it.each(['throws', 'exits', 'full'])(
    'that end the thread fail, and the next has another: %s',
    async (name) => {
      open();
      const failing = ask(name);
      const next = ask('next', 'token:b');
      await expect(failing).rejects.toMatchObject(code('ERR_DECISIONS_UNREACHABLE'));
      expect(await next).toBe('next');
      expect(started).toHaveLength(2);
      expect(results.mock.calls.flat()).toEqual(['failed', 'answered']);
    },
  );

  it('survive a thread that is killed between two of them', async () => {
    open();
    await ask('one');
    await started[0]?.terminate();
    expect(await ask('two')).toBe('two');
  });

  it('that are inside libsql end without the process, which libsql would end too', async () => {
    for (let turn = 0; turn < 10; turn++) {
      const leave = new AbortController();
      questions = createQuestions({
        start: (gate) => new Worker(IN_LIBSQL, { eval: true, workerData: { gate } }),
        logger: { ...silentLogger, warn: () => leave.abort(new Error('left')) },
        metrics: noMetrics,
      });
      await expect(ask('inside', 'token:a', leave.signal)).rejects.toThrow('left');
      await questions.close();
    }
  });

  it('end at the close, which waits for the thread', async () => {
    open();
    await ask('warm');
    const [running, waiting] = [ask('endless'), ask('waiting')];
    const closed = questions.close();
    await expect(running).rejects.toMatchObject(code('ERR_DECISIONS_UNREACHABLE'));
    await expect(waiting).rejects.toMatchObject(code('ERR_DECISIONS_UNREACHABLE'));
    await closed;
    await expect(ask('later')).rejects.toMatchObject(code('ERR_DECISIONS_UNREACHABLE'));
    expect(started).toHaveLength(1);
  });
});
