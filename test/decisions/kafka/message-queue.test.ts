import { describe, expect, it } from 'vitest';
import { MessageQueue } from '../../../src/decisions/kafka/message-queue.js';

async function take<T>(queue: MessageQueue<T>): Promise<T[]> {
  const taken: T[] = [];
  for (;;) {
    const each = queue.shift();
    if (each !== undefined) taken.push(each);
    else if (queue.isEnded) return taken;
    else await queue.wait();
  }
}

describe('the queue between the brokers and a reader', () => {
  it('gives what was pushed before and after the reader came, in order', async () => {
    const queue = new MessageQueue<number>(10);
    queue.push(1);
    const taken = take(queue);
    queue.push(2);
    await Promise.resolve();
    queue.push(3);
    queue.end();
    expect(await taken).toEqual([1, 2, 3]);
  });

  it('has room again only when the reader has taken something', async () => {
    const queue = new MessageQueue<number>(2);
    queue.push(1);
    await queue.room;
    queue.push(2);
    let isRoomy = false;
    const room = queue.room.then(() => {
      isRoomy = true;
    });
    await Promise.resolve();
    expect(isRoomy).toBe(false);
    expect(queue.shift()).toBe(1);
    await room;
    expect(isRoomy).toBe(true);
  });

  it('releases producers that wait for room when nobody reads any longer', async () => {
    const queue = new MessageQueue<number>(1);
    queue.push(1);
    const room = queue.room;
    queue.end();
    await room;
    queue.push(2);
    expect(await take(queue)).toEqual([1]);
  });

  it('throws the error it ended with after what was pushed before', async () => {
    const queue = new MessageQueue<number>(5);
    queue.push(1);
    queue.end(new Error('away'));
    queue.end(new Error('later'));
    expect(queue.shift()).toBe(1);
    expect(() => queue.shift()).toThrow('away');
  });

  it('has no room while a producer that did not wait has left too much in it', async () => {
    const queue = new MessageQueue<number>(2);
    for (const each of [1, 2, 3]) queue.push(each);
    let isRoomy = false;
    void queue.room.then(() => {
      isRoomy = true;
    });
    const taken: unknown[] = [];
    for (let count = 0; count < 2; count++) {
      taken.push(queue.shift());
      await new Promise((resolve) => setImmediate(resolve));
      taken.push(isRoomy);
    }
    expect(taken).toEqual([1, false, 2, true]);
  });

  it('lets its reader wait until something is pushed, it ends, or somebody wakes the reader', async () => {
    const queue = new MessageQueue<number>(1);
    for (const happens of [() => queue.push(1), () => queue.wake(), () => queue.end()]) {
      let isWaiting = true;
      const waited = queue.wait().then(() => {
        isWaiting = false;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(isWaiting).toBe(true);
      happens();
      await waited;
      queue.shift();
    }
    queue.wake();
    await queue.wait();
    const full = new MessageQueue<number>(1);
    full.push(1);
    await full.wait();
  });
});
