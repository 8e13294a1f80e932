import type { ScriptLink } from './redis-link.js';
import { type Script, toLists } from './script.js';

type Value = string | number;

/** Redis answers nothing else while they run: some milliseconds. */
const CALLS_AT_ONCE = 100;

/** Runs a script for all calls of one turn of the event loop at once, in their order. */
export class GatheredScript {
  readonly #script: Script;
  readonly #link: Pick<ScriptLink, 'run'>;
  #gathered: Call[] = [];

  constructor(script: Script, link: Pick<ScriptLink, 'run'>) {
    this.#script = script;
    this.#link = link;
  }

  run(...values: readonly Value[]): Promise<unknown> {
    const call = new Call(values);
    if (this.#gathered.push(call) === 1) setImmediate(() => this.#sendAll());
    return call.reply;
  }

  #sendAll(): void {
    const calls = this.#gathered;
    this.#gathered = [];
    for (let from = 0; from < calls.length; from += CALLS_AT_ONCE)
      void this.#send(calls.slice(from, from + CALLS_AT_ONCE));
  }

  async #send(calls: readonly Call[]): Promise<void> {
    const values = calls.flatMap((call) => [call.values.length, ...call.values]);
    try {
      const replies = toLists(await this.#link.run(this.#script.repeated, ...values));
      // One that failed runs by itself, and has the error that it has then.
      for (const [index, call] of calls.entries())
        call.resolve(replies[index] ?? this.#link.run(this.#script, ...call.values));
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }
}

class Call {
  readonly values: readonly Value[];
  readonly reply: Promise<unknown>;
  resolve: (reply: unknown) => void = () => {};
  reject: (error: unknown) => void = () => {};

  constructor(values: readonly Value[]) {
    this.values = values;
    this.reply = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
