import { describe, expect, it } from 'vitest';
import { KeyFetches } from '../../../src/acl/apply/key-fetches.js';
import type { Clock } from '../../../src/clock.js';
import { SyncError } from '../../../src/errors.js';
import { untilAborted } from '../../../src/linked-signal.js';

const never = new AbortController().signal;

/** A clock that only `advance` moves: what nobody wakes sleeps until then. */
function heldClock(): Clock & { advance(ms: number): void } {
  let now = 1_000;
  const sleepers = new Map<AbortController, number>();
  return {
    now: () => now,
    async sleep(ms, signal = never) {
      const due = new AbortController();
      sleepers.set(due, now + ms);
      await Promise.race([untilAborted(due.signal), untilAborted(signal)]);
      sleepers.delete(due);
      signal.throwIfAborted();
    },
    advance(ms) {
      now += ms;
      for (const [due, at] of sleepers) if (at <= now) due.abort();
    },
  };
}

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
    const clock = heldClock();
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
    const clock = heldClock();
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
    const clock = heldClock();
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
    const clock = heldClock();
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

  /** How many of ten writes begin at once. */
  async function atOnce(fetches: KeyFetches, clock: Clock): Promise<number> {
    let made = 0;
    const stop = new AbortController();
    const writes = Array.from({ length: 10 }, () => {
      const { end, work } = hanging();
      const begun = () => {
        made++;
        return work();
      };
      return { end, running: fetches.run(begun, clock, stop.signal) };
    });
    const all = Promise.allSettled(writes.map(({ running }) => running));
    await new Promise((resolve) => setImmediate(resolve));
    const counted = made;
    stop.abort(new Error('enough'));
    for (const { end } of writes) end();
    await all;
    return counted;
  }
  const quick = (fetches: KeyFetches, clock: Clock) =>
    Promise.all(Array.from({ length: 20 }, () => fetches.run(async () => {}, clock, never)));

  it('become more only while as many are answered soon', async () => {
    const [clock, fetches] = [heldClock(), new KeyFetches()];
    for (let at = 0; at < 20; at++) await fetches.run(async () => {}, clock, never);
    expect(await atOnce(fetches, clock)).toBe(4);
    const used = new KeyFetches();
    await quick(used, clock);
    expect(await atOnce(used, clock)).toBeGreaterThan(4);
  });

  it('are four again after one that was answered late, and while one hangs', async () => {
    const clock = heldClock();
    const late = new KeyFetches();
    await quick(late, clock);
    const slow = hanging();
    const running = late.run(slow.work, clock, never);
    clock.advance(501);
    slow.end();
    await running;
    expect(await atOnce(late, clock)).toBe(4);
    const hung = new KeyFetches();
    await quick(hung, clock);
    const still = hanging();
    const hangs = hung.run(still.work, clock, never);
    clock.advance(501);
    expect(await atOnce(hung, clock)).toBe(3);
    still.end();
    await hangs;
  });

  it('are four again after one that found Consul overloaded, however soon the answer came', async () => {
    const [clock, fetches] = [heldClock(), new KeyFetches()];
    await quick(fetches, clock);
    const tooMany = new SyncError('ERR_CONSUL_UNREACHABLE', 'answered 429', { retriable: true });
    await expect(fetches.run(() => Promise.reject(tooMany), clock, never)).rejects.toBe(tooMany);
    expect(await atOnce(fetches, clock)).toBe(4);
  });
});
