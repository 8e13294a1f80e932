import { describe, expect, it } from 'vitest';
import { KeyFetches } from '../../../src/apply/acl/key-fetches.js';
import { createMovableClock } from '../../support/movable-clock.js';

const never = new AbortController().signal;

/** A write that a test ends. */
function hanging() {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end, work: () => ended };
}

describe('writes that wait for keys', () => {
  it('are four at once; one more is given up within half a second, unmade', async () => {
    const clock = createMovableClock();
    const fetches = new KeyFetches();
    const writes = Array.from({ length: 4 }, hanging);
    const running = writes.map(({ work }) => fetches.run(work, clock, never));
    let isMade = false;
    const fifth = fetches.run(
      async () => {
        isMade = true;
      },
      clock,
      never,
    );
    clock.advance(600);
    await expect(fifth).rejects.toMatchObject({ code: 'ERR_TIMEOUT', retriable: true });
    expect(isMade).toBe(false);
    for (const { end } of writes) end();
    await Promise.all(running);
  });

  it('make room for one that waits, also when they fail', async () => {
    const clock = createMovableClock();
    const fetches = new KeyFetches();
    const writes = Array.from({ length: 3 }, hanging);
    const running = writes.map(({ work }) => fetches.run(work, clock, never));
    const failing = fetches.run(() => Promise.reject(new Error('refused')), clock, never);
    const waiting = fetches.run(async () => 'made', clock, never);
    await expect(failing).rejects.toThrow('refused');
    expect(await waiting).toBe('made');
    for (const { end } of writes) end();
    await Promise.all(running);
  });

  it('stop waiting when everything stops', async () => {
    const clock = createMovableClock();
    const fetches = new KeyFetches();
    const writes = Array.from({ length: 4 }, hanging);
    const running = writes.map(({ work }) => fetches.run(work, clock, never));
    const stop = new AbortController();
    const waiting = fetches.run(async () => 'made', clock, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    for (const { end } of writes) end();
    await Promise.all(running);
  });

  it('are as many at once as are answered soon, and four again when one hangs', async () => {
    const clock = createMovableClock();
    const fetches = new KeyFetches();
    let made = 0;
    const start = () => {
      const { end, work } = hanging();
      const running = fetches.run(
        () => {
          made++;
          return work();
        },
        clock,
        never,
      );
      running.catch(() => {});
      return { end, running };
    };
    await Promise.all(Array.from({ length: 20 }, () => fetches.run(async () => {}, clock, never)));
    const writes = Array.from({ length: 30 }, start);
    let isMade = false;
    const late = async () => {
      isMade = true;
    };
    const next = fetches.run(late, clock, never);
    clock.advance(600);
    await expect(next).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    expect(isMade).toBe(false);
    expect(made).toBeGreaterThan(4);
    for (const { end } of writes.slice(0, made - 4)) end();
    await Promise.all(writes.slice(0, made - 4).map(({ running }) => running));
    const last = fetches.run(late, clock, never);
    clock.advance(600);
    await expect(last).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    expect(isMade).toBe(false);
    for (const { end } of writes) end();
    await Promise.allSettled(writes.map(({ running }) => running));
  });
});
