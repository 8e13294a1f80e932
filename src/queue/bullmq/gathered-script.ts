import { SyncError } from '../../errors.js';
import type { ScriptLink } from './redis-link.js';
import { type Script, toLists } from './script.js';

type Value = string | number;

/** Redis answers nothing else while they run: some milliseconds. */
const MOST_CALLS = 100;
const MOST_VALUES = 2_000;
/** Redis refuses these at the first write of a script, so nothing of it was written. */
const NOTHING_WRITTEN = /\b(OOM|READONLY|MISCONF|NOREPLICAS)\b/;

/** Runs a script for all calls of one turn of the event loop at once, in their order. */
export class GatheredScript {
  readonly script: Script;
  readonly #link: Pick<ScriptLink, 'run'>;
  #gathered: Call[] = [];

  constructor(script: Script, link: Pick<ScriptLink, 'run'>) {
    this.script = script;
    this.#link = link;
  }

  run(...values: readonly Value[]): Promise<unknown> {
    const call = new Call(values);
    if (this.#gathered.push(call) === 1) setImmediate(() => this.#sendAll());
    return call.reply;
  }

  #sendAll(): void {
    let [batch, size]: [Call[], number] = [[], 0];
    for (const call of this.#gathered) {
      if (batch.length === MOST_CALLS || (batch.length > 0 && size + call.values.length > MOST_VALUES)) {
        void this.#send(batch);
        [batch, size] = [[], 0];
      }
      batch.push(call);
      size += call.values.length;
    }
    this.#gathered = [];
    void this.#send(batch);
  }

  async #send(calls: readonly Call[]): Promise<void> {
    const [only] = calls;
    if (calls.length === 1 && only !== undefined) return only.resolve(this.#alone(only));
    const values = calls.flatMap((call) => [call.values.length, ...call.values]);
    try {
      const replies = toLists(await this.#link.run(this.script.repeated, ...values));
      for (const [index, call] of calls.entries()) this.#answer(call, toLists(replies[index]));
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }

  /** One that failed runs again only if nothing of it was written: a script finds its own part as a repetition. */
  #answer(call: Call, [isDone, reply]: readonly unknown[]): void {
    if (isDone === 1) call.resolve(reply);
    else if (NOTHING_WRITTEN.test(String(reply))) call.resolve(this.#alone(call));
    else
      call.reject(
        new SyncError('ERR_QUEUE_UNREACHABLE', `Redis cannot be used: ${reply}`, { retriable: true }),
      );
  }

  #alone({ values }: Call): Promise<unknown> {
    return this.#link.run(this.script, ...values);
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
