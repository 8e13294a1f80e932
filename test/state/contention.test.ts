import { describe, expect, it } from 'vitest';
import { Contention } from '../../src/state/contention.js';

const HOUR = 3_600_000;

describe('a subject that is corrected again and again', () => {
  it('is contended until the oldest correction has left the window', () => {
    const contention = new Contention({ limit: 2, windowMs: 1_000 });
    contention.corrected('a', 0);
    expect(contention.isContended('a', 100)).toBe(false);
    contention.corrected('a', 500);
    expect(contention.isContended('a', 999)).toBe(true);
    expect(contention.isContended('b', 999)).toBe(false);
    expect(contention.isContended('a', 1_000)).toBe(false);
  });

  it('does not stay contended until a clock that was set back is where it was', () => {
    const contention = new Contention({ limit: 2, windowMs: 1_000 });
    contention.corrected('a', HOUR);
    contention.corrected('a', HOUR);
    expect(contention.isContended('a', HOUR)).toBe(true);
    expect(contention.isContended('a', 10)).toBe(false);
    contention.corrected('a', 20);
    expect(contention.isContended('a', 30)).toBe(false);
  });
});

describe('the corrections that one leader made', () => {
  it('are known to the next one', async () => {
    const values = new Map<string, string>();
    const keyValues = {
      get: async (name: string) => values.get(name),
      set: async (name: string, value: string) => void values.set(name, value),
    };
    const first = new Contention({ limit: 3, windowMs: 1_000 }, keyValues);
    for (const at of [1, 2, 3]) {
      first.corrected('a', at);
      first.corrected('b', at);
      await Promise.resolve();
    }
    await first.close();
    const next = new Contention({ limit: 3, windowMs: 1_000 }, keyValues);
    await next.restore();
    expect(next.isContended('a', 4)).toBe(true);
    expect(next.isContended('a', 1_002)).toBe(false);
  });

  it('are stored once a second at most, and the last ones at the end', async () => {
    const stored: string[] = [];
    const keyValues = {
      get: async () => undefined,
      set: async (_: string, text: string) => void stored.push(text),
    };
    const pauses: (() => void)[] = [];
    const clock = {
      sleep: (ms: number, signal: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          expect(ms).toBe(1_000);
          if (signal.aborted) reject(signal.reason);
          signal.addEventListener('abort', () => reject(signal.reason));
          pauses.push(resolve);
        }),
    };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const contention = new Contention({ limit: 3, windowMs: 1_000 }, keyValues, clock);
    for (let at = 1; at <= 20; at++) {
      contention.corrected(`subject-${at}`, at);
      await turn();
    }
    expect(stored).toHaveLength(1);
    pauses[0]?.();
    await turn();
    expect(stored).toHaveLength(2);
    expect(JSON.parse(stored[1] ?? '')).toHaveLength(20);
    contention.corrected('last', 21);
    await contention.close();
    expect(stored).toHaveLength(3);
    expect(stored[2]).toContain('last');
  });

  it('do not replace those of this one, and are not stored after their window', async () => {
    const values = new Map([['contention', '']]);
    const keyValues = {
      get: async (name: string) => values.get(name) ?? '[["a", 1, 2], ["b", 1, 2]]',
      set: async (name: string, value: string) => void values.set(name, value),
    };
    const next = new Contention({ limit: 2, windowMs: 1_000 }, keyValues);
    next.corrected('a', 3);
    await next.close();
    values.clear();
    await next.restore();
    expect([next.isContended('a', 4), next.isContended('b', 4)]).toEqual([false, true]);
    next.corrected('c', 1_003);
    await next.close();
    expect([...values.values()]).toEqual(['[["c",1003]]']);
  });

  it.each(['no JSON', '{}', '7', '[1, ["a", "b"]]', '[["a", "3"]]', '[{"0": "a", "1": 3}]'])(
    'are not restored if the store has %s',
    async (text) => {
      const keyValues = { get: async () => text, set: async () => {} };
      const next = new Contention({ limit: 1, windowMs: 1_000 }, keyValues);
      await next.restore();
      expect(next.isContended('a', 4)).toBe(false);
    },
  );
});
