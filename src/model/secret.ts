import { inspect } from 'node:util';

const MASK = '[secret]';

/**
 * A value that must never be printed, logged or serialised. Only `reveal()` returns the text, so a search for it finds
 * every use of a secret.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  get isEmpty(): boolean {
    return this.#value.length === 0;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}
