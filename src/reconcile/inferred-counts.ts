interface Known {
  readonly follows: readonly unknown[];
  readonly subjects: readonly string[];
}

/**
 * What each destination, client or provider would lose by inference. The mass guard counts it over the whole fleet for
 * every job that infers something; it is planned anew only if what it follows from is not the same object.
 */
export class InferredCounts {
  readonly #known = new Map<string, Known>();

  of(name: string, follows: readonly unknown[], plan: () => readonly string[]): readonly string[] {
    const known = this.#known.get(name);
    if (known?.follows.every((each, index) => each === follows[index])) return known.subjects;
    const planned = { follows, subjects: plan() };
    this.#known.set(name, planned);
    return planned.subjects;
  }
}
