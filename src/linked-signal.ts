import { setMaxListeners } from 'node:events';

/**
 * Calls `work` with a signal that aborts with the first of `signals`, or after `timeoutMs`. It leaves nothing in them:
 * `AbortSignal.any` of Node 20 leaves a reference for each call in a signal that lives long.
 */
export async function withLinkedSignal<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
  timeoutMs?: number,
): Promise<T> {
  const linked = new AbortController();
  const links = signals.map((signal) => ({ signal, abort: () => linked.abort(signal.reason) }));
  for (const { signal, abort } of links) {
    // As many wait as there is work: Node.js would take eleven for a leak.
    setMaxListeners(0, signal);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  }
  const late = () => linked.abort(new DOMException('it took too long: a timeout', 'TimeoutError'));
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  try {
    return await work(linked.signal);
  } finally {
    clearTimeout(timer);
    for (const { signal, abort } of links) signal.removeEventListener('abort', abort);
  }
}

/** Waits for the first of several, then ends the others. */
export function firstOf(
  signal: AbortSignal,
  begin: (signal: AbortSignal) => readonly Promise<void>[],
): Promise<void> {
  const over = new AbortController();
  return withLinkedSignal([signal, over.signal], (either) =>
    Promise.race(begin(either)).finally(() => over.abort()),
  );
}

/** For work that nothing ends. */
export const NEVER: AbortSignal = new AbortController().signal;

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
