/** A queue between a producer and a consumer; the producer can wait while it is full. */
export class MessageQueue<T> {
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

  /** Ends the queue after all pushed elements; with an error `shift` then throws that. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wakeReader?.();
    this.#letIn();
  }

  /** The next element, if there is one. After the last one it throws the error with which the queue ended. */
  shift(): T | undefined {
    const element = this.#elements.shift();
    if (element === undefined && this.#error !== undefined) throw this.#error;
    if (this.#elements.length < this.#limit) this.#letIn();
    return element;
  }

  /** Ends the consumer's wait although nothing was pushed. */
  wake(): void {
    this.#wakeReader?.();
  }

  /** Resolves once something is pushed, the queue ends, or `wake` is called. */
  async wait(): Promise<void> {
    if (this.#ended || this.#elements.length > 0) return;
    await new Promise<void>((resolve) => {
      this.#wakeReader = resolve;
    });
    this.#wakeReader = undefined;
  }

  #letIn(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
