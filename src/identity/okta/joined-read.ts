/**
 * One read for all who ask at about the same time. Who comes while one is under way waits for the next, since that one
 * may have passed what they ask about already; so a thousand events cost two reads, and nobody gets an old answer.
 */
export function joinReads<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> | undefined;
  let waiting: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    const answer = read();
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
