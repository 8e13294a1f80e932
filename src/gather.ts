import { setMaxListeners } from 'node:events';
import { SyncError } from './errors.js';

interface PendingQuestion<Q, A> {
  readonly question: Q;
  readonly signal: AbortSignal;
  readonly resolve: (answer: A) => void;
  readonly reject: (reason: unknown) => void;
  /** Called when the signal aborts while the question is part of a call. */
  onAbort: () => void;
}

/**
 * Answers in one call what several ask at about the same time, up to `most` by their sizes. What is asked while a call is
 * under way waits for the next one, so every answer is newer than its question. A call that fails, fails for all of its
 * questions.
 */
export class Gatherer<Q, A extends NonNullable<unknown>> {
  readonly #call: (questions: readonly Q[], signal: AbortSignal) => Promise<readonly A[]>;
  readonly #most: number;
  readonly #sizeOf: (question: Q) => number;
  #waiting: PendingQuestion<Q, A>[] = [];
  #isRunning = false;

  /** `call` resolves with one answer for each question, in order. */
  constructor(
    call: (questions: readonly Q[], signal: AbortSignal) => Promise<readonly A[]>,
    most: number,
    sizeOf: (question: Q) => number = () => 1,
  ) {
    this.#call = call;
    this.#most = most;
    this.#sizeOf = sizeOf;
  }

  /** Rejects as soon as the signal aborts. The call goes on as long as somebody else waits for it. */
  async ask(question: Q, signal: AbortSignal): Promise<A> {
    signal.throwIfAborted();
    // As many wait as there is work: Node.js would take eleven for a leak.
    setMaxListeners(0, signal);
    let stop = () => {};
    try {
      return await new Promise<A>((resolve, reject) => {
        const asked: PendingQuestion<Q, A> = { question, signal, resolve, reject, onAbort: () => {} };
        stop = () => {
          reject(signal.reason);
          asked.onAbort();
        };
        signal.addEventListener('abort', stop, { once: true });
        this.#waiting.push(asked);
        if (!this.#isRunning) void this.#answerAll();
      });
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async #answerAll(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      // What others ask in this turn belongs to the same call.
      await new Promise((resolve) => setImmediate(resolve));
      this.#waiting = this.#waiting.filter(({ signal }) => !signal.aborted);
      const asked = this.#waiting.splice(0, this.#countOfNext());
      if (asked.length > 0) await this.#answer(asked);
    }
    this.#isRunning = false;
  }

  /** How many of those who wait belong to the next call, at least one. */
  #countOfNext(): number {
    let left = this.#most;
    const isTooMuch = ({ question }: PendingQuestion<Q, A>) => {
      left -= this.#sizeOf(question);
      return left < 0;
    };
    const end = this.#waiting.findIndex(isTooMuch);
    return end === -1 ? this.#waiting.length : Math.max(end, 1);
  }

  /** Never rejects. */
  async #answer(all: readonly PendingQuestion<Q, A>[]): Promise<void> {
    const abandoned = new AbortController();
    for (const asked of all)
      asked.onAbort = () => {
        if (all.every(({ signal }) => signal.aborted)) abandoned.abort(asked.signal.reason);
      };
    try {
      const questions = all.map(({ question }) => question);
      const answers = await this.#call(questions, abandoned.signal);
      for (const [at, { resolve, reject }] of all.entries()) {
        const answer = answers[at];
        if (answer === undefined)
          reject(new SyncError('ERR_INTERNAL', 'a question got no answer', { retriable: true }));
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of all) reject(error);
    }
  }
}

/** The same read, for many at once: one read answers all who ask before it begins. They get the same object. */
export function shareRead<A extends NonNullable<unknown>>(
  read: (signal: AbortSignal) => Promise<A>,
): (signal: AbortSignal) => Promise<A> {
  const reads = new Gatherer<undefined, A>(async (readers, signal) => {
    const answer = await read(signal);
    return readers.map(() => answer);
  }, Number.POSITIVE_INFINITY);
  return (signal) => reads.ask(undefined, signal);
}
