import { describe, expect, it } from 'vitest';
import { type ErrorCode, SyncError } from '../../src/errors.js';
import { WriteLimit } from '../../src/queue/write-limit.js';

/** A limit of 2 to 32 that begins with 8, on a clock of its own. */
function limitAt(options = { least: 2, first: 8, most: 32 }) {
  const clock = { at: 1_000, now: () => clock.at };
  const limit = new WriteLimit(options, clock);
  /** So many complete, spread over so long; the first call begins the measurement. */
  const complete = (count: number, overMs: number) => {
    for (let done = 0; done < count; done++) {
      clock.at += overMs / count;
      limit.completed();
    }
  };
  const begin = () => {
    clock.at += 1_000;
    limit.completed();
  };
  return { limit, clock, complete, begin };
}

describe('the limit of what is under way at once', () => {
  it('begins with the given limit', () => {
    expect(limitAt().limit.now).toBe(8);
  });

  it('climbs while more is completed in the same time, up to the most there may be', () => {
    const { limit, complete, begin } = limitAt();
    begin();
    const seen: number[] = [];
    for (let rate = 40; rate <= 400; rate += 40) {
      complete(rate, 100);
      seen.push(limit.now);
    }
    expect(seen.slice(0, 3)).toEqual([11, 15, 21]);
    expect(seen.at(-1)).toBe(32);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it('stays where the same is completed in the same time', () => {
    const { limit, complete, begin } = limitAt();
    begin();
    complete(40, 100);
    const first = limit.now;
    for (let window = 0; window < 5; window++) complete(40, 100);
    expect(limit.now).toBe(first);
  });

  it('goes back a step where less is completed than before, and never below the least', () => {
    const { limit, complete, begin } = limitAt();
    begin();
    complete(160, 100);
    complete(100, 100);
    expect(limit.now).toBe(8);
    for (let count = 64; count >= 4; count /= 2) complete(count, 100);
    expect(limit.now).toBeGreaterThanOrEqual(2);
  });

  it('goes back a step where as much is completed in a longer time', () => {
    const { limit, complete, begin } = limitAt();
    begin();
    complete(40, 100);
    complete(40, 200);
    expect(limit.now).toBe(8);
  });

  it('judges nothing by fewer completions than the limit', () => {
    const { limit, complete, begin } = limitAt();
    begin();
    complete(7, 110);
    expect(limit.now).toBe(8);
    complete(33, 10);
    expect(limit.now).toBe(11);
  });

  it('judges nothing by a window that is shorter than a tenth of a second', () => {
    const { limit, complete, begin } = limitAt();
    begin();
    complete(90, 90);
    expect(limit.now).toBe(8);
  });

  it('measures again after a pause, which says nothing about the rate', () => {
    const { limit, clock, complete, begin } = limitAt();
    begin();
    complete(40, 100);
    clock.at += 60_000;
    complete(1, 1);
    complete(39, 99);
    expect(limit.now).toBe(11);
  });

  it('halves each time the server says that it is too much, down to the least', () => {
    const { limit } = limitAt();
    const seen = [1, 2, 3].map(() => {
      limit.overloaded();
      return limit.now;
    });
    expect(seen).toEqual([4, 2, 2]);
  });

  it('halves once for each error of an overloaded server, and not for other errors', () => {
    const { limit } = limitAt({ least: 1, first: 32, most: 32 });
    const failed = (code: ErrorCode) => new SyncError(code, 'no', { retriable: true });
    const unreachable = failed('ERR_CONSUL_UNREACHABLE');
    const others = [failed('ERR_CONSUL_REJECTED'), new Error('no'), undefined];
    for (const error of [unreachable, unreachable, failed('ERR_TIMEOUT'), ...others, unreachable])
      limit.failed(error);
    expect(limit.now).toBe(8);
  });

  it('climbs again after the server had too much', () => {
    const { limit, complete, begin } = limitAt();
    begin();
    complete(40, 100);
    limit.overloaded();
    expect(limit.now).toBe(5);
    complete(20, 100);
    expect(limit.now).toBe(7);
  });
});

describe('work for every item', () => {
  it('begins in their order, as many at once as the limit allows at each moment', async () => {
    const { limit } = limitAt({ least: 1, first: 2, most: 2 });
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const all = limit.forEach([1, 2, 3, 4], (item) => {
      begun.push(item);
      return new Promise((resolve) => ends.push(resolve));
    });
    expect(begun).toEqual([1, 2]);
    ends[1]?.();
    await new Promise(setImmediate);
    expect(begun).toEqual([1, 2, 3]);
    limit.overloaded();
    ends[0]?.();
    await new Promise(setImmediate);
    expect(begun).toEqual([1, 2, 3]);
    ends[2]?.();
    await new Promise(setImmediate);
    ends[3]?.();
    await all;
    expect(begun).toEqual([1, 2, 3, 4]);
  });

  it('resolves only when all of it is done', async () => {
    const { limit } = limitAt();
    let end = () => {};
    let isDone = false;
    const all = limit
      .forEach(['slow', 'quick'], (item) =>
        item === 'quick'
          ? Promise.resolve()
          : new Promise((resolve) => {
              end = resolve;
            }),
      )
      .then(() => {
        isDone = true;
      });
    await new Promise(setImmediate);
    expect(isDone).toBe(false);
    end();
    await all;
  });

  it('rejects with the failure of an item, and begins no more', async () => {
    const { limit } = limitAt({ least: 1, first: 1, most: 1 });
    const begun: number[] = [];
    const all = limit.forEach([1, 2, 3], async (item) => {
      begun.push(item);
      if (item === 2) throw new Error('no');
    });
    await expect(all).rejects.toThrow('no');
    expect(begun).toEqual([1, 2]);
  });
});
