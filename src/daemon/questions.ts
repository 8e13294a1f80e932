import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { MeshNow } from '../app/blast-view.js';
import { configError, messageOf, SyncError } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import type { IntentionEntry } from '../model/intention.js';
import type { Logger, Metrics } from '../observe.js';
import type { Question } from './answer-question.js';
import { type CallGate, createCallGate, terminateOutside } from './call-gate.js';

/** Where the trail is. */
export interface LocalTrail {
  readonly directory: string;
  /** An index that follows a topic. */
  readonly isIndex: boolean;
}

/** The entries of a mesh come first and in pieces, because the event loop copies them. */
export type ToThread =
  | { readonly entries: readonly (readonly [string, IntentionEntry])[] }
  | { readonly question: Question };

export type FromThread =
  | { readonly answer: string }
  | { readonly fault: string; readonly isBadQuestion: boolean }
  | { readonly warning: string; readonly fields: object };

/** `mesh` is called once the question has its turn: it costs the event loop as much as the mesh is large. */
export type Asked = Omit<Question, 'mesh'> & { readonly mesh?: () => Promise<MeshNow> };

export interface Questions {
  /**
   * Resolves with the answer as JSON. Throws SyncError: ERR_CONFIG for a question that cannot be answered, ERR_BUSY if the
   * principal has asked too many that are not answered yet, ERR_TIMEOUT, and ERR_DECISIONS_UNREACHABLE. An abort ends it.
   */
  ask(principal: string, question: Asked, signal: AbortSignal): Promise<string>;
  /** Ends all of them. */
  close(): Promise<void>;
}

interface QuestionsOptions {
  /** Starts the thread that answers; called again after it ended. */
  readonly start: (gate: CallGate) => Worker;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** For one answer. */
  readonly deadlineMs?: number;
}

/** Questions of one principal that run or wait. */
const OF_ONE = 4;
/** The start of the thread included. */
const DEADLINE_MS = 15_000;
/** Until the answer begins. */
const WAIT_MS = 30_000;
const ENTRIES_IN_ONE_TURN = 100;

/**
 * Answers questions in one thread of their own, one at a time, so that they keep neither the event loop nor each other's
 * memory. Principals take turns. A question that takes too long, or whose asker has left, ends with the thread, whatever
 * the thread does; the next question starts another.
 */
export function createQuestions(options: QuestionsOptions): Questions {
  return new ThreadQuestions(options);
}

interface Hearing {
  settle(message: FromThread): void;
  fail(error: Error): void;
}

class ThreadQuestions implements Questions {
  readonly #options: QuestionsOptions;
  readonly #closing = new AbortController();
  readonly #asked = new Map<string, number>();
  /** The first of each principal is next; a principal whose question begins goes to the end. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isBusy = false;
  #thread: Worker | undefined;
  #gate = createCallGate();
  #hearing: Hearing | undefined;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  async ask(principal: string, question: Asked, signal: AbortSignal): Promise<string> {
    const { deadlineMs = DEADLINE_MS } = this.#options;
    const asked = this.#asked.get(principal) ?? 0;
    if (asked >= OF_ONE) {
      this.#count('refused');
      throw busy(`${asked} questions of yours are not answered yet; ask again`);
    }
    this.#asked.set(principal, asked + 1);
    try {
      return await withLinkedSignal([signal, this.#closing.signal], async (either) => {
        await withLinkedSignal([either], (wait) => this.#turn(principal, wait), WAIT_MS);
        try {
          return await withLinkedSignal([either], (limit) => this.#answer(question, limit), deadlineMs);
        } finally {
          this.#isBusy = false;
          this.#next();
        }
      });
    } catch (error) {
      if (signal.aborted) this.#count('left');
      if (!isTimeout(error)) throw error;
      this.#count('late');
      throw new SyncError(
        'ERR_TIMEOUT',
        `the answer takes longer than ${deadlineMs / 1000} s; ask for less, or ask on the command line`,
        { retriable: true, cause: error },
      );
    } finally {
      const left = (this.#asked.get(principal) ?? 1) - 1;
      if (left === 0) this.#asked.delete(principal);
      else this.#asked.set(principal, left);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(unreachable('scopemesh stops'));
    await this.#end();
  }

  /** Resolves when it is the turn of one question of the principal. Rejects when the signal aborts. */
  #turn(principal: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const begin = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        const all = this.#waiting.get(principal)?.filter((each) => each !== begin) ?? [];
        if (all.length === 0) this.#waiting.delete(principal);
        else this.#waiting.set(principal, all);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.set(principal, [...(this.#waiting.get(principal) ?? []), begin]);
      this.#next();
    });
  }

  #next(): void {
    const [first] = this.#waiting;
    if (this.#isBusy || first === undefined) return;
    const [principal, [begin, ...rest]] = first;
    this.#waiting.delete(principal);
    if (rest.length > 0) this.#waiting.set(principal, rest);
    this.#isBusy = true;
    begin?.();
  }

  async #answer({ mesh: meshNow, ...question }: Asked, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const mesh = await meshNow?.();
    signal.throwIfAborted();
    const thread = this.#open();
    const heard = new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.#hearing = {
        settle: (message) => {
          if ('answer' in message) resolve(message.answer);
          else if ('fault' in message)
            reject(message.isBadQuestion ? configError(message.fault) : unreachable(message.fault));
          else this.#options.logger.warn(message.fields, message.warning);
        },
        fail: reject,
      };
    });
    const send = async () => {
      const entries = [...(mesh?.entries ?? [])];
      for (let at = 0; at < entries.length && !signal.aborted; at += ENTRIES_IN_ONE_TURN) {
        post(thread, { entries: entries.slice(at, at + ENTRIES_IN_ONE_TURN) });
        await setImmediate();
      }
      const small = mesh === undefined ? {} : { mesh: { ...mesh, entries: new Map() } };
      post(thread, { question: { ...question, ...small } });
    };
    try {
      const [answer] = await Promise.all([heard, send()]);
      this.#count('answered');
      return answer;
    } catch (error) {
      // Nothing else stops what it does, and a later answer would be one to another question.
      if (signal.aborted) await this.#end();
      throw error;
    } finally {
      this.#hearing = undefined;
    }
  }

  #open(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    this.#gate = createCallGate();
    const thread = this.#options.start(this.#gate);
    const failed = (error: unknown) => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      this.#count('failed');
      this.#options.logger.warn(
        { error: messageOf(error) },
        'the thread that answers questions ended; the next question starts another',
      );
      this.#hearing?.fail(unreachable(`the question ended the thread that answers it: ${messageOf(error)}`));
    };
    thread.on('message', (message: FromThread) => {
      if (this.#thread === thread) this.#hearing?.settle(message);
    });
    thread.on('error', failed);
    thread.on('exit', () => failed(new Error('it exited')));
    // An idle thread keeps no process alive.
    thread.unref();
    this.#thread = thread;
    return thread;
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    if (thread !== undefined) await terminateOutside(thread, this.#gate);
  }

  #count(result: 'answered' | 'refused' | 'late' | 'left' | 'failed'): void {
    this.#options.metrics.count('scopemesh_trail_questions_total', { result });
  }
}

function post(thread: Worker, message: ToThread): void {
  thread.postMessage(message);
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

function busy(message: string): SyncError {
  return new SyncError('ERR_BUSY', message, { retriable: true });
}

function unreachable(message: string): SyncError {
  return new SyncError('ERR_DECISIONS_UNREACHABLE', message, { retriable: true });
}
