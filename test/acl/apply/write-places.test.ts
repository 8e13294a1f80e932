import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritePlaces } from '../../../src/acl/apply/write-places.js';
import { WriteLimit } from '../../../src/queue/write-limit.js';
import { failed } from './memory-acl.js';

const NEVER = new AbortController().signal;

/** Places of which each write runs until the test ends it; `begun` has the names in their order. */
function placesFor(ordinary: number, urgent: number, least = 1) {
  const clock = { at: 1_000, now: () => clock.at };
  const limit = new WriteLimit({ least, first: ordinary, most: 64 }, clock);
  const places = new WritePlaces(limit, urgent);
  const begun: string[] = [];
  const running = new Map<string, { readonly end: () => void; readonly fail: (error: Error) => void }>();
  const write = (name: string, isUrgent = false, signal: AbortSignal = NEVER, stop?: AbortSignal) => {
    const work = () => {
      begun.push(name);
      return new Promise<void>((resolve, reject) => running.set(name, { end: resolve, fail: reject }));
    };
    const ended = places.run(work, isUrgent, signal, stop).finally(() => running.delete(name));
    ended.catch(() => {});
    return ended;
  };
  /** Until everything that can begin has begun. */
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const end = async (name: string) => {
    running.get(name)?.end();
    await turn();
  };
  const fail = async (name: string, error: Error) => {
    running.get(name)?.fail(error);
    await turn();
  };
  return { clock, limit, begun, running, write, turn, end, fail };
}

describe('writes of ACL objects', () => {
  it('begin in their order, as many at once as the limit allows', async () => {
    const it = placesFor(2, 1);
    for (const name of ['a', 'b', 'c', 'd']) void it.write(name);
    await it.turn();
    expect(it.begun).toEqual(['a', 'b']);
    await it.end('b');
    expect(it.begun).toEqual(['a', 'b', 'c']);
    await it.end('a');
    expect(it.begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('find more places where they are urgent, and never wait behind others', async () => {
    const it = placesFor(2, 1);
    for (const name of ['a', 'b', 'c']) void it.write(name);
    for (const name of ['x', 'y']) void it.write(name, true);
    await it.turn();
    expect(it.begun).toEqual(['a', 'b', 'x']);
    await it.end('a');
    expect(it.begun).toEqual(['a', 'b', 'x', 'y']);
    await it.end('b');
    // The urgent ones fill the two places of all.
    expect(it.begun).toEqual(['a', 'b', 'x', 'y']);
    await it.end('x');
    expect(it.begun).toEqual(['a', 'b', 'x', 'y', 'c']);
  });

  it('find their own places where they are urgent, also while more ordinary ones run than the limit allows by now', async () => {
    const it = placesFor(8, 1);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) void it.write(name);
    it.limit.overloaded();
    it.limit.overloaded();
    expect(it.limit.now).toBe(2);
    void it.write('x', true);
    void it.write('y', true);
    await it.turn();
    expect(it.begun.slice(6)).toEqual(['x']);
  });

  it('pass no urgent write that waits, where the limit has grown meanwhile', async () => {
    const limit = { now: 1, completed: () => {}, failed: () => {} };
    const places = new WritePlaces(limit, 0);
    const begun: string[] = [];
    const write = (name: string, isUrgent: boolean) =>
      void places.run(() => new Promise(() => begun.push(name)), isUrgent, NEVER);
    write('a', false);
    write('x', true);
    limit.now = 2;
    write('b', false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toEqual(['a', 'x']);
  });

  it('end only their wait at a stop: what has a place goes on, and what finds one begins', async () => {
    const it = placesFor(1, 0);
    const stop = new AbortController();
    const first = it.write('a', false, NEVER, stop.signal);
    const second = it.write('b', false, NEVER, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(second).rejects.toThrow('stopped');
    await expect(it.write('c', false, NEVER, stop.signal)).rejects.toThrow('stopped');
    await it.end('a');
    await first;
    void it.write('d', false, NEVER, stop.signal);
    await it.turn();
    expect(it.begun).toEqual(['a', 'd']);
  });

  it('end their wait with the signal, leave nothing in it, and keep no place', async () => {
    const it = placesFor(1, 0);
    const stop = new AbortController();
    void it.write('a');
    const second = it.write('b', false, stop.signal);
    void it.write('c');
    stop.abort(new Error('lost'));
    await expect(second).rejects.toThrow('lost');
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    await it.end('a');
    expect(it.begun).toEqual(['a', 'c']);
    await expect(it.write('d', false, stop.signal)).rejects.toThrow('lost');
    await it.end('c');
    void it.write('e');
    await it.turn();
    expect(it.begun).toEqual(['a', 'c', 'e']);
  });

  it('leave nothing in the signal where they got a place', async () => {
    const it = placesFor(1, 0);
    const { signal } = new AbortController();
    const first = it.write('a', false, signal);
    const second = it.write('b', false, signal);
    await it.turn();
    await it.end('a');
    await it.end('b');
    await Promise.all([first, second]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it.each(['ERR_CONSUL_UNREACHABLE', 'ERR_TIMEOUT'] as const)('lower the limit by %s', async (code) => {
    const it = placesFor(8, 0);
    const written = it.write('a');
    await it.turn();
    await it.fail('a', failed(code));
    await expect(written).rejects.toMatchObject({ code });
    expect(it.limit.now).toBe(4);
  });

  it('lower it by no refusal', async () => {
    const it = placesFor(8, 0);
    void it.write('a');
    await it.turn();
    await it.fail('a', failed('ERR_CONSUL_DENIED'));
    expect(it.limit.now).toBe(8);
  });

  it('are fewer at once after an overload, and more again where Consul keeps up', async () => {
    const it = placesFor(32, 0, 8);
    for (let at = 0; at < 400; at++) void it.write(String(at));
    await it.turn();
    expect(it.running.size).toBe(32);
    for (const name of [...it.running.keys()]) await it.fail(name, failed('ERR_CONSUL_UNREACHABLE'));
    expect(it.running.size).toBe(8);
    const seen: number[] = [];
    for (let round = 0; round < 6; round++) {
      it.clock.at += 100;
      for (const name of [...it.running.keys()]) await it.end(name);
      seen.push(it.running.size);
    }
    expect(seen.at(-1)).toBeGreaterThanOrEqual(16);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it('are at any moment no more than the limit and the urgent ones, whatever ends, fails or stops', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('write' as const), isUrgent: fc.boolean() }),
      fc.record({
        do: fc.constantFrom('end' as const, 'overload' as const, 'stop' as const),
        at: fc.nat(20),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(3), fc.array(step, { maxLength: 40 }), async (urgent, steps) => {
        const it = placesFor(4, urgent);
        const stops = new Map<string, AbortController>();
        const left = new Set<string>();
        let names = 0;
        let most = 4;
        for (const each of steps) {
          if (each.do === 'write') {
            const name = `${each.isUrgent ? 'urgent' : 'ordinary'}-${names++}`;
            const stop = new AbortController();
            stops.set(name, stop);
            left.add(name);
            const gone = () => void left.delete(name);
            it.write(name, each.isUrgent, stop.signal).then(gone, gone);
          } else {
            const waiting = [...left].filter((name) => !it.running.has(name));
            const name = (each.do === 'stop' ? waiting : [...it.running.keys()])[each.at];
            if (each.do === 'stop') stops.get(name ?? '')?.abort(new Error('lost'));
            else if (name !== undefined)
              await (each.do === 'end' ? it.end(name) : it.fail(name, failed('ERR_TIMEOUT')));
          }
          await it.turn();
          most = Math.max(most, it.limit.now);
          expect(it.running.size).toBeLessThanOrEqual(most + urgent);
          // Nothing waits while there is room.
          const waits = (kind: string) =>
            [...left].some((name) => name.startsWith(kind) && !it.running.has(name));
          if (it.running.size < it.limit.now) expect(waits('ordinary')).toBe(false);
          if (it.running.size < it.limit.now + urgent) expect(waits('urgent')).toBe(false);
        }
        while (it.running.size > 0) for (const name of [...it.running.keys()]) await it.end(name);
        expect([...left]).toEqual([]);
        for (const kind of ['urgent', 'ordinary']) {
          const order = it.begun
            .filter((name) => name.startsWith(kind))
            .map((name) => Number(name.split('-')[1]));
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 100 },
    );
  });
});
