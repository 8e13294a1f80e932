import { SyncError } from '../../errors.js';
import type { ScriptLink } from './redis-link.js';
import { type Script, toLists, toPairs } from './script.js';

export type Value = string | number;

/** Redis answers nothing else while they run: some milliseconds. */
const MOST_STEPS = 100;
const MOST_VALUES = 2_000;

/**
 * Runs a script once for the steps of one turn of the event loop, in their order, or several times if they are many. The script
 * gets the values of all steps. It gives the steps that failed, each with its error, and then the numbers of all steps.
 */
export class GatheredScript {
  readonly #script: Script;
  readonly #first: readonly Value[];
  readonly #link: Pick<ScriptLink, 'run'>;
  #gathered: Step[] = [];

  /** `first`: values before those of the steps. */
  constructor(script: Script, link: Pick<ScriptLink, 'run'>, ...first: readonly Value[]) {
    this.#script = script;
    this.#first = first;
    this.#link = link;
  }

  /** `numbers`: how many the script gives for this step. */
  run(values: readonly Value[], numbers = 0): Promise<readonly number[]> {
    const step = new Step(values, numbers);
    if (this.#gathered.push(step) === 1) setImmediate(() => this.#sendAll());
    return step.reply;
  }

  /** Runs one step at once. `run`: how. */
  async runAlone(
    values: readonly Value[],
    run: (script: Script, values: readonly Value[]) => Promise<unknown>,
  ): Promise<void> {
    const step = new Step(values, 0);
    this.#answer([step], await run(this.#script, [...this.#first, ...values]));
    await step.reply;
  }

  #sendAll(): void {
    let [batch, size]: [Step[], number] = [[], 0];
    for (const step of this.#gathered) {
      if (batch.length === MOST_STEPS || (batch.length > 0 && size + step.values.length > MOST_VALUES)) {
        void this.#send(batch);
        [batch, size] = [[], 0];
      }
      batch.push(step);
      size += step.values.length;
    }
    this.#gathered = [];
    void this.#send(batch);
  }

  async #send(steps: readonly Step[]): Promise<void> {
    const values = steps.flatMap((step) => step.values);
    try {
      this.#answer(steps, await this.#link.run(this.#script, ...this.#first, ...values));
    } catch (error) {
      for (const step of steps) step.reject(error);
    }
  }

  #answer(steps: readonly Step[], reply: unknown): void {
    const [failed, found] = toLists(reply);
    const errors = new Map(toPairs(failed).map(([number, error]) => [Number(number), error]));
    const numbers = toLists(found).map(Number);
    let at = 0;
    for (const [index, step] of steps.entries()) {
      const error = errors.get(index + 1);
      if (error === undefined) step.resolve(numbers.slice(at, at + step.numbers));
      else
        step.reject(
          new SyncError('ERR_QUEUE_UNREACHABLE', `Redis cannot be used: ${error}`, { retriable: true }),
        );
      at += step.numbers;
    }
  }
}

class Step {
  readonly values: readonly Value[];
  readonly numbers: number;
  readonly reply: Promise<readonly number[]>;
  resolve: (reply: readonly number[]) => void = () => {};
  reject: (error: unknown) => void = () => {};

  constructor(values: readonly Value[], numbers: number) {
    this.values = values;
    this.numbers = numbers;
    this.reply = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
