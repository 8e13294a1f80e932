import { IncompleteRead } from '../errors.js';
import { isRecord } from '../model/is-record.js';

/** Parses the values of Consul's answers. A wrong type is an incomplete read, never a default value. */
export interface Reader {
  record(value: unknown): Readonly<Record<string, unknown>>;
  /** Go writes an empty list as null. */
  list(value: unknown): readonly unknown[];
  /** A list of objects. */
  records(value: unknown): readonly Readonly<Record<string, unknown>>[];
  text(value: unknown): string;
  /** Absent and null read as ''. */
  optionalText(value: unknown): string;
  texts(value: unknown): readonly string[];
  textMap(value: unknown): Readonly<Record<string, string>>;
  index(value: unknown): number;
}

export function createReader(operation: string): Reader {
  const wrong = (what: string) =>
    incomplete(operation, `the answer does not have ${what} where one is expected`);
  const reader: Reader = {
    record(value) {
      if (!isRecord(value)) throw wrong('an object');
      return value;
    },
    list(value) {
      if (value === null || value === undefined) return [];
      if (!Array.isArray(value)) throw wrong('a list');
      return value;
    },
    records: (value) => reader.list(value).map(reader.record),
    text(value) {
      if (typeof value !== 'string') throw wrong('a text');
      return value;
    },
    optionalText: (value) => (value === undefined || value === null ? '' : reader.text(value)),
    texts: (value) => reader.list(value).map(reader.text),
    textMap(value) {
      if (value === undefined || value === null) return {};
      // fromEntries defines properties, so that `__proto__` is an ordinary key.
      return Object.fromEntries(
        Object.entries(reader.record(value)).map(([key, text]) => [key, reader.text(text)]),
      );
    },
    index(value) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong('an index');
      return value;
    },
  };
  return reader;
}

export function incomplete(operation: string, why: string): IncompleteRead {
  return new IncompleteRead('ERR_CONSUL_INCOMPLETE', `Consul ${operation}: ${why}`, { retriable: true });
}
