import { IncompleteRead } from '../errors.js';
import { isRecord } from '../model/is-record.js';

/** An object of Consul's API. */
export type Raw = Readonly<Record<string, unknown>>;

/** Parses the values of Consul's answers. A wrong type is an incomplete read, never a default value. */
export class Reader {
  readonly #operation: string;

  constructor(operation: string) {
    this.#operation = operation;
  }

  record(value: unknown): Raw {
    if (!isRecord(value)) throw this.#wrong('an object');
    return value;
  }

  /** Go writes an empty list as null. */
  list(value: unknown): readonly unknown[] {
    if (value === null || value === undefined) return [];
    if (!Array.isArray(value)) throw this.#wrong('a list');
    return value;
  }

  /** A list of objects. */
  records(value: unknown): readonly Raw[] {
    return this.list(value).map((each) => this.record(each));
  }

  text(value: unknown): string {
    if (typeof value !== 'string') throw this.#wrong('a text');
    return value;
  }

  /** A text that is never empty. */
  name(value: unknown): string {
    const text = this.text(value);
    if (text === '') throw incomplete(this.#operation, 'the answer has an empty name or id');
    return text;
  }

  /** Absent and null read as ''. */
  optionalText(value: unknown): string {
    return value === undefined || value === null ? '' : this.text(value);
  }

  texts(value: unknown): readonly string[] {
    return this.list(value).map((each) => this.text(each));
  }

  textMap(value: unknown): Readonly<Record<string, string>> {
    if (value === undefined || value === null) return {};
    // fromEntries defines properties, so that `__proto__` is an ordinary key.
    return Object.fromEntries(
      Object.entries(this.record(value)).map(([key, text]) => [key, this.text(text)]),
    );
  }

  index(value: unknown): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.#wrong('an index');
    return value;
  }

  #wrong(what: string): IncompleteRead {
    return incomplete(this.#operation, `the answer does not have ${what} where one is expected`);
  }
}

export function incomplete(operation: string, why: string): IncompleteRead {
  return new IncompleteRead('ERR_CONSUL_INCOMPLETE', `Consul ${operation}: ${why}`, { retriable: true });
}
