import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * One read for all callers of about the same time. A caller that comes during a read waits for the next one, because the
 * current one may have passed what it asks for. So a thousand events cost two reads, and no caller gets an old answer.
 */
export function joinReads<T>(read: () => Promise<T>): () => Promise<T> {
  // A read for an event may join one that a complete read began. It must not share the limits of the complete read.
  const readAtOnce = AsyncLocalStorage.bind(read);
  let running: Promise<unknown> | undefined;
  let waiting: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    const answer = readAtOnce();
    const over = answer
      .catch(() => undefined)
      .finally(() => {
        if (running === over) running = undefined;
      });
    running = over;
    return answer;
  };
  return () => {
    if (running === undefined) return begin();
    waiting ??= running.then(() => {
      waiting = undefined;
      return begin();
    });
    return waiting;
  };
}
