import type { ServiceName } from '../model/intention.js';
import { destinationKey, formatKey, parseKey } from '../model/key.js';
import type { EdgeRecords } from '../plan/edge-record.js';

/** The last writes of each key's subjects, by the texts of `formatKey`. */
export class LastAppliedCache {
  readonly #byKey = new Map<string, ReadonlyMap<string, string>>();
  /** The marked edges without a record, as long as the records are unknown. */
  #unrecorded: ReadonlySet<string> | undefined = new Set();

  of(key: string): ReadonlyMap<string, string> {
    return this.#byKey.get(key) ?? NOTHING;
  }

  /** Whether every record was put. */
  get areKnown(): boolean {
    return this.#unrecorded === undefined;
  }

  /** All records by key, without those of no job's key: rulings of people and left objects. */
  ofJobs(): Readonly<Record<string, Readonly<Record<string, string>>>> {
    const ofKeys = [...this.#byKey].filter(([key]) => parseKey(key) !== undefined);
    return Object.fromEntries(ofKeys.map(([key, records]) => [key, Object.fromEntries(records)]));
  }

  /** The texts of the keys that have records. */
  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** False if nothing changed. */
  put(key: string, lastApplied: ReadonlyMap<string, string>): boolean {
    if (this.of(key) === lastApplied) return false;
    if (lastApplied.size === 0) return this.#byKey.delete(key);
    this.#byKey.set(key, lastApplied);
    return true;
  }

  recordsOf({ name, namespace, partition }: ServiceName): EdgeRecords {
    const lastApplied = this.of(formatKey(destinationKey(name, namespace, partition)));
    return { lastApplied, unrecorded: this.#unrecorded };
  }

  /** Undefined: every record was put. A set: the records are unknown, and only these marked edges have none. */
  setUnrecorded(subjects: ReadonlySet<string> | undefined): void {
    this.#unrecorded = subjects;
  }
}

const NOTHING: ReadonlyMap<string, string> = new Map();
