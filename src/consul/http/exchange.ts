import type { Dispatcher } from 'undici';
import { IncompleteRead } from '../../errors.js';

/** A whole answer. */
export interface ConsulAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * One request and its whole answer, as a handler for undici's dispatcher. `Pool.request` does the same with a stream and an
 * AbortController per request, which cost as much as everything else.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  /** Rejects with the argument of `fail`, ERR_CONSUL_INCOMPLETE beyond `maxBytes`, or undici's error. */
  readonly answer: Promise<ConsulAnswer>;
  /** Set when the answer begins. */
  status: number | undefined;

  readonly #place: string;
  readonly #maxBytes: number;
  readonly #refusal: () => Error | undefined;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #headers: Record<string, string | undefined> = {};
  #controller: Dispatcher.DispatchController | undefined;
  #failed: unknown;
  #resolve: (answer: ConsulAnswer) => void = () => {};
  #reject: (reason: unknown) => void = () => {};

  /** `refusal`: asked in the turn in which the request is written; an error keeps it from that. */
  constructor(place: string, maxBytes: number, refusal: () => Error | undefined = () => undefined) {
    this.#place = place;
    this.#maxBytes = maxBytes;
    this.#refusal = refusal;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Ends the exchange. A request that waits for a connection is not sent; one in flight loses its connection. */
  fail(reason: unknown): void {
    this.#failed = reason ?? new Error('aborted');
    this.#reject(this.#failed);
    this.#controller?.abort(ENDED);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    const refusal = this.#failed === undefined ? this.#refusal() : undefined;
    if (refusal !== undefined) this.fail(refusal);
    else if (this.#failed !== undefined) controller.abort(ENDED);
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ): void {
    // Another answer follows a 1xx answer.
    if (status < 200) return;
    this.status = status;
    for (const name in headers) {
      const value = headers[name];
      this.#headers[name] = typeof value === 'object' ? value.join(', ') : value;
    }
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.byteLength;
    if (this.#size > this.#maxBytes) {
      const message = `${this.#place}: the answer is longer than ${this.#maxBytes} bytes; find in Consul what takes the room (tags, meta, sources) and remove it`;
      this.fail(new IncompleteRead('ERR_CONSUL_INCOMPLETE', message, { retriable: false }));
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const body = new Uint8Array(this.#size);
    let offset = 0;
    for (const chunk of this.#chunks) {
      body.set(chunk, offset);
      offset += chunk.byteLength;
    }
    this.#resolve({ status: this.status ?? 0, headers: this.#headers, body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}

const ENDED = new Error('the exchange is over');
