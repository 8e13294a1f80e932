import type { Clock } from '../clock.js';
import { SyncError } from '../errors.js';
import type { Principal } from '../model/cause.js';
import { formatKey, type Key } from '../model/key.js';

/** What a person asks a running daemon to adopt. */
export interface RequestedAdoption {
  /** Of a destination, a client, or a provider with people. */
  readonly key: Key;
  /** What the person saw; nothing else is adopted. */
  readonly subjects: ReadonlySet<string>;
  readonly by: Principal;
}

interface Waiting extends RequestedAdoption {
  readonly resolve: (adopted: number) => void;
  readonly reject: (error: unknown) => void;
  /** Ends the limit of the wait. */
  readonly begin: () => void;
}

/** Requests at once: each is of a person who waits for it. */
const MAX_WAITING = 100;
/** A key may wait behind its own write to a slow Consul. A stop of the daemon waits as long at most. */
export const TURN_MS = 10_000;
/** A person asks for the subjects of one key in parts of this size. */
export const MAX_SUBJECTS = 100;

/**
 * Adoptions that wait for the turn of their key, so that a key has one writer. They are in memory: a crash forgets them, and
 * nothing was changed.
 */
export class RequestedAdoptions {
  readonly #waiting = new Map<string, Waiting[]>();

  /**
   * Resolves with the number of marks. Throws SyncError ERR_TIMEOUT, and withdraws the adoption, if its turn does not come in
   * time; from then on the limits of Consul's requests hold. `wake` asks for a run of the key.
   */
  async ask(asked: RequestedAdoption, wake: () => Promise<void>, clock: Clock): Promise<number> {
    const text = formatKey(asked.key);
    const all = [...this.#waiting.values()].reduce((sum, { length }) => sum + length, 0);
    if (all >= MAX_WAITING) throw refused('too many adoptions wait; try again later');
    const begun = new AbortController();
    const adopted = new Promise<number>((resolve, reject) => {
      const waiting = { ...asked, resolve, reject, begin: () => begun.abort() };
      this.#waiting.set(text, [...(this.#waiting.get(text) ?? []), waiting]);
      const late = () =>
        reject(
          refused(
            `${text} had no turn within ${TURN_MS / 1000} s and was not adopted; run scopemesh adopt again`,
          ),
        );
      clock.sleep(TURN_MS, begun.signal).then(late, () => {}); // its turn came first
    });
    try {
      return await Promise.race([adopted, wake().then(() => adopted)]);
    } finally {
      begun.abort();
      this.#withdraw(text, asked);
    }
  }

  #withdraw(text: string, { subjects }: RequestedAdoption): void {
    const left = (this.#waiting.get(text) ?? []).filter((each) => each.subjects !== subjects);
    if (left.length === 0) this.#waiting.delete(text);
    else this.#waiting.set(text, left);
  }

  /** Gives these their turn. */
  take(key: string): readonly Waiting[] {
    const found = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const { begin } of found) begin();
    return found;
  }
}

function refused(message: string): SyncError {
  return new SyncError('ERR_TIMEOUT', message, { retriable: true });
}
