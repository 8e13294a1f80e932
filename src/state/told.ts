import type { Trigger } from '../model/trigger.js';

/** More than can be under way for one key; a key whose job never comes keeps no more. */
const MOST_PER_KEY = 50;

/**
 * Between the moment a read shows a change and the start of the jobs that it queues, a job that was queued before, by
 * a watch perhaps, may already see that change. What is told here lets it know the cause and the evidence, so that it
 * is not taken for something that merely went missing.
 */
export class Told {
  readonly #byKey = new Map<string, Trigger[]>();

  /** Call it in the same turn in which the world takes in what was read. `toText` is `formatKey`. */
  note(triggers: readonly Trigger[], toText: (trigger: Trigger) => string): void {
    for (const trigger of triggers) {
      const key = toText(trigger);
      const known = this.#byKey.get(key) ?? [];
      if (!known.some((each) => isSame(each, trigger))) known.push(trigger);
      this.#byKey.set(key, known.slice(-MOST_PER_KEY));
    }
  }

  /** A job begins with these: it knows by itself now. */
  arrived(key: string, triggers: readonly Trigger[]): void {
    const waiting = (this.#byKey.get(key) ?? []).filter(
      (each) => !triggers.some((trigger) => isSame(each, trigger)),
    );
    if (waiting.length === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, waiting);
  }

  /** What was told of a key and is still on its way there. */
  of(key: string): readonly Trigger[] {
    return this.#byKey.get(key) ?? [];
  }
}

function isSame(a: Trigger, b: Trigger): boolean {
  return JSON.stringify([a.cause, a.evidence]) === JSON.stringify([b.cause, b.evidence]);
}
