import { randomBytes } from 'node:crypto';
import { jsonIn } from '../model/json-in.js';

/** The last of them in Consul are those of about three TTLs. */
const KEPT = 12;

/**
 * How a store relates to the one of the last leader, by the pulses in both:
 *
 * - `same`: it knows the leader's last pulse.
 * - `behind`: it lost the last ones, as after a failover, or all.
 * - `unrelated`: the leader has long written to another store. This one is a copy, or was restored.
 */
type StoreMatch = 'same' | 'behind' | 'unrelated';

/** Both newest first. */
export function matchStore(inConsul: readonly string[], inStore: readonly string[]): StoreMatch {
  const [newest] = inConsul;
  if (newest === undefined || inStore.includes(newest)) return 'same';
  return inStore.length === 0 || inStore.some((each) => inConsul.includes(each)) ? 'behind' : 'unrelated';
}

/**
 * A pulse is a random text that the leader writes to its store, and then to Consul, at each renewal. A copy of the store
 * has everything but the pulses since.
 */
export class Pulses {
  #known: readonly string[] = [];
  #next: string | undefined;

  /** Those that Consul has, newest first; `next` is one of them once it is there. */
  get toWrite(): readonly string[] {
    return (this.#next === undefined ? this.#known : [this.#next, ...this.#known]).slice(0, KEPT);
  }

  /** `next`: the store's newest one, if Consul has not got it yet. */
  begin(known: readonly string[], next?: string): void {
    this.#known = known;
    this.#next = next;
  }

  /** For the store. It is the same one until Consul has it: a store keeps two, and one of them must be Consul's newest. */
  next(): string {
    this.#next ??= randomBytes(8).toString('hex');
    return this.#next;
  }

  /** Consul has all of `toWrite`. */
  written(): void {
    this.begin(this.toWrite);
  }
}

/** From the value of the leader's key; none for a text that no leader wrote. */
export function parsePulses(text: string | undefined): readonly string[] {
  const value = jsonIn(text ?? '');
  if (typeof value !== 'object' || value === null || !('pulses' in value)) return [];
  const { pulses } = value;
  if (!Array.isArray(pulses)) return [];
  return pulses.slice(0, KEPT).filter((each) => typeof each === 'string' && /^[0-9a-f]{16}$/.test(each));
}

/** For how long something is as it is, as far as this process saw. */
export class UnchangedTimer {
  #last: unknown;
  #since: number | undefined;

  lastedMs(now: unknown, at: number): number {
    if (this.#since === undefined || this.#last !== now) {
      this.#last = now;
      this.#since = at;
    }
    return at - this.#since;
  }
}
