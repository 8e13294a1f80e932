import { describe, expect, it } from 'vitest';
import { KeyedMutex } from '../../src/state/mutex.js';

describe('work under a mutex', () => {
  it('runs one after the other, also after a failure', async () => {
    const mutex = new KeyedMutex();
    const seen: string[] = [];
    const first = mutex.run('a', async () => {
      await Promise.resolve();
      seen.push('first');
      throw new Error('no');
    });
    const second = mutex.run('a', async () => seen.push('second'));
    await expect(first).rejects.toThrow('no');
    await second;
    expect(seen).toEqual(['first', 'second']);
  });

  it('waits for all that came before it by the name, and not for other names', async () => {
    const mutex = new KeyedMutex();
    const seen: string[] = [];
    const ends = new Map<string, () => void>();
    const run = (name: string, text: string) =>
      mutex.run(name, async () => {
        seen.push(text);
        await new Promise<void>((resolve) => ends.set(text, resolve));
      });
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const [first, second] = [run('a', 'first'), run('a', 'second')];
    const other = run('b', 'other');
    await turn();
    expect(seen).toEqual(['first', 'other']);
    ends.get('first')?.();
    await first;
    await turn();
    const third = run('a', 'third');
    await turn();
    expect(seen).toEqual(['first', 'other', 'second']);
    for (const [text, work] of [
      ['second', second],
      ['third', third],
      ['other', other],
    ] as const) {
      ends.get(text)?.();
      await work;
      await turn();
    }
    expect(seen.at(-1)).toBe('third');
  });
});
