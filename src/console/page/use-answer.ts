import { useEffect, useState } from 'preact/hooks';
import { type AnswerTo, ApiFault, type Question, type RoutePath, read } from './api.js';
import { changes } from './live.js';

/** What a page knows of one question to the daemon. */
export interface Answer<T> {
  /** The newest answer. It stays while a newer one is on its way. */
  readonly value: T | undefined;
  /** Why the newest question has no answer. */
  readonly fault: ApiFault | undefined;
  /** Whether `value` answers an older question, or could not be read again. */
  readonly isOld: boolean;
  readonly reload: () => void;
}

/** What changed is read again at most this often, */
const LEAST_MS = 1_000;
/** and the more seldom the longer the daemon took for it, */
const REST = 3;
/** up to this: the daemon may itself have kept the question waiting, and a pause for a pause would add up. */
const MAX_REST_MS = 1_000;

/**
 * Asks the daemon, and again if the question changes; with `isLive` also after each change that the stream reports.
 * Undefined as the path: nothing is asked.
 */
export function useAnswer<P extends RoutePath>(
  path: P | undefined,
  question: Question<P>,
  isLive = true,
): Answer<AnswerTo<P>> {
  const [state, setState] = useState<{ key: string; value?: AnswerTo<P>; fault?: ApiFault }>({ key: '' });
  const [turn, setTurn] = useState(0);
  const key = `${path} ${JSON.stringify(question)}`;

  useEffect(() => {
    if (path === undefined) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isAsking = false;
    let isChanged = false;
    let nextAt = 0;
    const schedule = () => {
      timer ??= setTimeout(ask, Math.max(0, nextAt - performance.now()));
    };
    const ask = async () => {
      timer = undefined;
      isAsking = true;
      isChanged = false;
      const begun = performance.now();
      try {
        const value = await read(path, question, stop.signal);
        setState({ key, value });
      } catch (error) {
        if (stop.signal.aborted) return;
        const fault = error instanceof ApiFault ? error : new ApiFault(0, 'Page', String(error));
        setState(({ value }) => ({ key, fault, ...(value === undefined ? {} : { value }) }));
      }
      const ended = performance.now();
      nextAt = Math.max(begun + LEAST_MS, ended + Math.min(MAX_REST_MS, REST * (ended - begun)));
      isAsking = false;
      if (isChanged) schedule();
    };
    void ask();
    const seen = changes.peek();
    const unsubscribe = changes.subscribe((count) => {
      if (!isLive || count === seen) return;
      // An answer that is on its way may be from before the change.
      if (isAsking) isChanged = true;
      else schedule();
    });
    return () => {
      unsubscribe();
      clearTimeout(timer);
      stop.abort();
    };
  }, [key, turn, isLive]);

  return {
    value: state.value,
    fault: state.key === key ? state.fault : undefined,
    isOld: state.key !== key || state.fault !== undefined,
    reload: () => setTurn((before) => before + 1),
  };
}
