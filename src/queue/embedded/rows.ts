/** A row of SQLite; its columns are checked as they are taken. */
export class Row {
  readonly #columns: object;

  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null) throw new Error('not a row');
    this.#columns = value;
  }

  text(column: string): string {
    const value = this.#value(column);
    if (typeof value !== 'string') throw new Error(`column ${column} holds no text`);
    return value;
  }

  integer(column: string): number {
    const value = this.#value(column);
    if (typeof value !== 'number') throw new Error(`column ${column} holds no number`);
    return value;
  }

  #value(column: string): unknown {
    return Object.getOwnPropertyDescriptor(this.#columns, column)?.value;
  }
}
