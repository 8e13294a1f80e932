/** Kills a process at one of its writes, before or after it is made: that write, and any later one, ends with it. */
export class Death {
  #writes = 0;
  #hasCome = false;
  #isBuried = false;
  readonly #at: number;
  readonly #when: 'before' | 'after';
  readonly #then: () => Promise<void>;
  readonly #held: ((reason: Error) => void)[] = [];

  /** `then` is what somebody does at that moment. */
  constructor(at: number, when: 'before' | 'after', then: () => Promise<void> = async () => {}) {
    this.#at = at;
    this.#when = when;
    this.#then = then;
  }

  get hasCome(): boolean {
    return this.#hasCome;
  }

  /** The same write, by a process that may die. */
  of<Args extends readonly unknown[], T>(
    write: (...args: Args) => Promise<T>,
  ): (...args: Args) => Promise<T> {
    return async (...args) => {
      this.#writes += 1;
      if (this.#writes < this.#at) return write(...args);
      if (this.#writes === this.#at) {
        // A refusal is an answer too, and does not arrive either.
        if (this.#when === 'after') await write(...args).catch(() => {});
        await this.#then();
        this.#hasCome = true;
      }
      if (this.#isBuried) throw new Error('killed');
      return new Promise<never>((_, reject) => this.#held.push(reject));
    };
  }

  /** Stops what is left of the process, so that it tries nothing again. */
  async bury(process: { stop(): Promise<void> }): Promise<void> {
    const stopped = process.stop();
    this.#isBuried = true;
    for (const reject of this.#held.splice(0)) reject(new Error('killed'));
    await stopped;
  }
}
