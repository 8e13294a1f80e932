/** Some milliseconds of the event loop. */
const MAX_IN_ONE_TURN = 8;

/**
 * Bounds how many runs begin in one turn of the event loop. Thousands of clients that need no answer from anywhere would
 * otherwise run one after the other before the next event is accepted.
 */
export class TurnLimit {
  readonly #onNextTurn: () => void;
  #begun = 0;

  /** `onNextTurn` is called if the limit was reached in the turn before. */
  constructor(onNextTurn: () => void) {
    this.#onNextTurn = onNextTurn;
  }

  get isReached(): boolean {
    return this.#begun >= MAX_IN_ONE_TURN;
  }

  begin(): void {
    if (this.#begun++ > 0) return;
    setImmediate(() => {
      const wasReached = this.isReached;
      this.#begun = 0;
      if (wasReached) this.#onNextTurn();
    });
  }
}
