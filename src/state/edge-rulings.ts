import type { ServiceName } from '../model/intention.js';
import { type Deny, destinationOf, type RuledEdge, sourceOf } from '../model/ruling.js';
import { serviceText } from '../plan/world.js';

/** What people decided about edges, ended rulings too until they are forgotten. Their number is limited where they are made. */
export class EdgeRulings<T> {
  readonly #edgeOf: (ruling: T) => RuledEdge;
  readonly #touch: (source: ServiceName, destination: ServiceName) => void;
  #all: readonly T[] = [];

  /** `touch`: called for each edge of a ruling before and after a change. */
  constructor(
    edgeOf: (ruling: T) => RuledEdge,
    touch: (source: ServiceName, destination: ServiceName) => void,
  ) {
    this.#edgeOf = edgeOf;
    this.#touch = touch;
  }

  get all(): readonly T[] {
    return this.#all;
  }

  /** Replaces the rulings. The caller lets the destinations of those before and those now be planned. */
  set(rulings: readonly T[]): void {
    const edges = [...this.#all, ...rulings].map(this.#edgeOf);
    this.#all = rulings;
    for (const edge of edges) this.#touch(sourceOf(edge), destinationOf(edge));
  }

  /** Those about a destination, whose name is in any case. */
  of(destination: ServiceName): readonly T[] {
    if (this.#all.length === 0) return [];
    const text = serviceText({ ...destination, name: destination.name.toLowerCase() });
    return this.#all.filter((each) => serviceText(destinationOf(this.#edgeOf(each))) === text);
  }

  /** The destinations of a source. */
  destinationsOf(source: ServiceName): readonly ServiceName[] {
    const text = serviceText(source);
    const edges = this.#all.map(this.#edgeOf);
    return edges.flatMap((edge) => (serviceText(sourceOf(edge)) === text ? destinationOf(edge) : []));
  }
}

export class Denies extends EdgeRulings<Deny> {
  constructor(touch: (source: ServiceName, destination: ServiceName) => void) {
    super(({ about }) => about, touch);
  }
}
