import type { ServiceName } from '../model/intention.js';
import type { Deny } from '../model/ruling.js';
import { destinationOfDeny, sourceOfDeny } from '../plan/deny.js';
import type { DenyFacts } from '../plan/destination-input.js';
import { serviceText } from '../plan/world.js';
import { Mutex } from './mutex.js';

/** The denies that people ordered, ended ones too until their time is over. Their number is limited where they are made. */
export class Denies {
  /** One change at a time. */
  readonly mutex = new Mutex();
  readonly #touch: (source: ServiceName, destination: ServiceName) => void;
  #all: readonly Deny[] = [];

  /** `touch`: called for each edge of a deny before and after a change. */
  constructor(touch: (source: ServiceName, destination: ServiceName) => void) {
    this.#touch = touch;
  }

  get all(): readonly Deny[] {
    return this.#all;
  }

  /** Replaces the denies. The caller lets the destinations of those before and those now be planned. */
  set(denies: readonly Deny[]): void {
    const both = [...this.#all, ...denies];
    this.#all = denies;
    for (const each of both) this.#touch(sourceOfDeny(each), destinationOfDeny(each));
  }

  factsOf(destination: ServiceName, now: number): DenyFacts {
    const text = serviceText({ ...destination, name: destination.name.toLowerCase() });
    return { rulings: this.#all.filter((each) => serviceText(destinationOfDeny(each)) === text), now };
  }

  /** The destinations of a source. */
  destinationsOf(source: ServiceName): readonly ServiceName[] {
    const text = serviceText(source);
    return this.#all.flatMap((each) =>
      serviceText(sourceOfDeny(each)) === text ? destinationOfDeny(each) : [],
    );
  }
}
