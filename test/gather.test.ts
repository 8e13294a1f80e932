import { describe, expect, it } from 'vitest';
import { Gatherer } from '../src/gather.js';

/** A gatherer whose calls end when the test says so. */
function gatherer(most = 3) {
  const calls: { questions: readonly string[]; signal: AbortSignal; end: (error?: Error) => void }[] = [];
  let called = () => {};
  const of = new Gatherer<string, string>(
    (questions, signal) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) =>
          error === undefined ? resolve(questions.map((each) => `${each}!`)) : reject(error);
        calls.push({ questions, signal, end });
        called();
      }),
    most,
  );
  /** Resolves with the call of this number, counted from 1. */
  const call = async (number: number) => {
    while (calls.length < number)
      await new Promise<void>((resolve) => {
        called = resolve;
      });
    const found = calls[number - 1];
    if (found === undefined) throw new Error('no such call');
    return found;
  };
  return { of, call, calls };
}

const signal = () => new AbortController().signal;

describe('questions at about the same time', () => {
  it('are one call, each with its own answer, up to the most of one call', async () => {
    const { of, call, calls } = gatherer();
    const answers = Promise.all(['a', 'b', 'c', 'd'].map((each) => of.ask(each, signal())));
    (await call(1)).end();
    (await call(2)).end();
    expect(await answers).toEqual(['a!', 'b!', 'c!', 'd!']);
    expect(calls.map(({ questions }) => questions)).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('wait for the next call while one is under way, so that no answer is older than its question', async () => {
    const { of, call, calls } = gatherer();
    const first = of.ask('a', signal());
    const running = await call(1);
    const later = [of.ask('b', signal()), of.ask('c', signal())];
    running.end();
    expect(await first).toBe('a!');
    (await call(2)).end();
    expect(await Promise.all(later)).toEqual(['b!', 'c!']);
    expect(calls).toHaveLength(2);
  });

  it('all fail with their call, and the next call is made all the same', async () => {
    const { of, call } = gatherer();
    const failed = Promise.allSettled([of.ask('a', signal()), of.ask('b', signal())]);
    (await call(1)).end(new Error('no'));
    expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const next = of.ask('c', signal());
    (await call(2)).end();
    expect(await next).toBe('c!');
  });

  it('fail where a call has no answer to them', async () => {
    const of = new Gatherer<string, string>(async () => ['only one'], 2);
    const [first, second] = await Promise.allSettled([of.ask('a', signal()), of.ask('b', signal())]);
    expect(first).toMatchObject({ status: 'fulfilled', value: 'only one' });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'ERR_INTERNAL' } });
  });
});

describe('somebody who no longer waits', () => {
  it('is not part of a call that has not begun', async () => {
    const { of, call, calls } = gatherer();
    const stop = new AbortController();
    const given = of.ask('a', stop.signal);
    const kept = of.ask('b', signal());
    stop.abort(new Error('stopped'));
    await expect(given).rejects.toThrow('stopped');
    (await call(1)).end();
    expect(await kept).toBe('b!');
    expect(calls.map(({ questions }) => questions)).toEqual([['b']]);
    await expect(of.ask('c', stop.signal)).rejects.toThrow('stopped');
  });

  it('ends a call only if nobody else waits for it', async () => {
    const { of, call } = gatherer();
    const stops = [new AbortController(), new AbortController()];
    const asked = Promise.allSettled(stops.map((stop, at) => of.ask(`${at}`, stop.signal)));
    const running = await call(1);
    stops[0]?.abort(new Error('first'));
    expect(running.signal.aborted).toBe(false);
    stops[1]?.abort(new Error('second'));
    expect(running.signal.aborted).toBe(true);
    expect(await asked).toMatchObject([{ reason: { message: 'first' } }, { reason: { message: 'second' } }]);
    running.end();
  });
});
