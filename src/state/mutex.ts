/** Runs the work of each name one after the other; for a stored value that is read, changed and written back. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(name) ?? Promise.resolve()).then(work, work);
    this.#last.set(name, result);
    const end = () => {
      if (this.#last.get(name) === result) this.#last.delete(name);
    };
    result.then(end, end);
    return result;
  }
}
