/** A queue between a producer that pushes and a consumer that iterates; the producer can wait while it is full. */
export class MessageQueue<T> implements AsyncIterable<T> {
  readonly #limit: number;
  readonly #elements: T[] = [];
  #ended = false;
  #error: unknown;
  #wakeReader: (() => void) | undefined;
  /** Producers that wait for room. */
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** Resolves when there is room, or the queue has ended. */
  get room(): Promise<void> {
    if (this.#ended || this.#elements.length < this.#limit) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Adds an element, whether or not there is room. */
  push(element: T): void {
    if (this.#ended) return;
    this.#elements.push(element);
    this.#wakeReader?.();
  }

  /** Ends the iteration after all pushed elements; with an error the iteration then throws. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wakeReader?.();
    this.#letIn();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      const element = this.#elements.shift();
      if (element !== undefined) {
        if (this.#elements.length < this.#limit) this.#letIn();
        yield element;
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
        this.#wakeReader = undefined;
      }
    }
  }

  #letIn(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
