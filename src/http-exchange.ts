import type { Dispatcher } from 'undici';

/** A whole answer of any status. */
export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; a repeated header is joined with a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface HttpExchangeOptions {
  /** The longest body that is kept. */
  readonly maxBytes: number;
  /** The error of a longer body. */
  readonly tooLong: () => Error;
  /** Asked in the turn in which the request is written; an error keeps it from that. */
  readonly refusal?: () => Error | undefined;
  /** Takes the body of an answer of status 200, of any length, while it arrives; it is not kept then. A throw ends the exchange. */
  readonly sink?: ((chunk: Uint8Array) => void) | undefined;
  /** The body of an answer that never ends: what arrives until nothing has arrived for `quietMs`, or in `longestMs`. */
  readonly endless?: { readonly quietMs: number; readonly longestMs: number } | undefined;
}

/**
 * One request and its whole answer, as a handler for undici's dispatcher. `Pool.request` does the same with a stream and an
 * AbortController per request, which cost as much as everything else.
 */
export class HttpExchange implements Dispatcher.DispatchHandler {
  /** Rejects with the argument of `fail`, `tooLong()`, or undici's error. */
  readonly answer: Promise<HttpAnswer>;
  /** Set when the answer begins. */
  status: number | undefined;

  readonly #options: HttpExchangeOptions;
  /** With room to grow: each kept chunk would be an object, and a hostile server sends them byte by byte. */
  #body = new Uint8Array(0);
  #size = 0;
  #headers: Record<string, string | undefined> = {};
  #controller: Dispatcher.DispatchController | undefined;
  #failed: unknown;
  #quiet: NodeJS.Timeout | undefined;
  #longest: NodeJS.Timeout | undefined;
  #resolve: (answer: HttpAnswer) => void = () => {};
  #reject: (reason: unknown) => void = () => {};

  constructor(options: HttpExchangeOptions) {
    this.#options = options;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Ends the exchange. A request that waits for a connection is not sent; one in flight loses its connection. */
  fail(reason: unknown): void {
    this.#failed = reason ?? new Error('aborted');
    this.#end();
    this.#reject(this.#failed);
    this.#controller?.abort(ENDED);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    const refusal = this.#failed === undefined ? this.#options.refusal?.() : undefined;
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
    const { endless } = this.#options;
    if (endless === undefined) return;
    this.#quiet = setTimeout(() => this.#cut(), endless.quietMs);
    this.#longest = setTimeout(() => this.#cut(), endless.longestMs);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#options.sink !== undefined && this.status === 200) {
      try {
        this.#options.sink(chunk);
      } catch (error) {
        this.fail(error);
      }
      return;
    }
    const [at, size] = [this.#size, this.#size + chunk.byteLength];
    if (size > this.#options.maxBytes) {
      this.fail(this.#options.tooLong());
      return;
    }
    if (size > this.#body.byteLength) {
      const larger = new Uint8Array(
        Math.max(size, Math.min(this.#options.maxBytes, 2 * this.#body.byteLength)),
      );
      larger.set(this.#body.subarray(0, at));
      this.#body = larger;
    }
    this.#body.set(chunk, at);
    this.#size = size;
    this.#quiet?.refresh();
  }

  onResponseEnd(): void {
    this.#end();
    const body = this.#body.byteLength === this.#size ? this.#body : this.#body.slice(0, this.#size);
    this.#resolve({ status: this.status ?? 0, headers: this.#headers, body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end();
    this.#reject(error);
  }

  /** Ends an endless answer with what has arrived. */
  #cut(): void {
    this.onResponseEnd();
    this.#controller?.abort(ENDED);
  }

  #end(): void {
    clearTimeout(this.#quiet);
    clearTimeout(this.#longest);
  }
}

const ENDED = new Error('the exchange is over');
