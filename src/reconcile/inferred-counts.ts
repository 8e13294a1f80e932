interface Known {
  readonly follows: readonly unknown[];
  readonly count: number;
}

/**
 * How many edges each destination would lose by inference. The mass guard counts them over the whole fleet for every
 * job that infers something; a destination is planned anew only if what its count follows from is not the same object.
 */
export class InferredCounts {
  readonly #known = new Map<string, Known>();

  of(destination: string, follows: readonly unknown[], count: () => number): number {
    const known = this.#known.get(destination);
    if (known?.follows.every((each, index) => each === follows[index])) return known.count;
    const counted = { follows, count: count() };
    this.#known.set(destination, counted);
    return counted.count;
  }
}
