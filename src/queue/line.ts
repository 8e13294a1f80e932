/** A set in order, whose first element costs nothing to find: a `Set` first looks at all that were deleted before it. */
export class Line<T> {
  readonly #all = new Set<T>();
  #rest = this.#all.values();
  #first: T | undefined;

  get size(): number {
    return this.#all.size;
  }

  get first(): T | undefined {
    if (this.#first !== undefined || this.#all.size === 0) return this.#first;
    let next = this.#rest.next();
    if (next.done) {
      this.#rest = this.#all.values();
      next = this.#rest.next();
    }
    this.#first = next.value;
    return this.#first;
  }

  has(element: T): boolean {
    return this.#all.has(element);
  }

  add(element: T): void {
    this.#all.add(element);
  }

  delete(element: T): void {
    this.#all.delete(element);
    if (this.#first === element) this.#first = undefined;
  }
}
