import type Database from 'libsql';

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

/** Queries to one database, each prepared once. */
export class Queries {
  readonly #database: Database.Database;
  readonly #prepared = new Map<string, Database.Statement<unknown[]>>();

  constructor(database: Database.Database) {
    this.#database = database;
  }

  all(sql: string, ...values: readonly unknown[]): readonly Row[] {
    const query = this.#prepared.get(sql) ?? this.#database.prepare<unknown[]>(sql);
    this.#prepared.set(sql, query);
    return query.all(...values).map((row) => new Row(row));
  }

  close(): void {
    this.#prepared.clear();
    this.#database.close();
  }
}

/** Makes all of it or nothing. */
export function inTransaction(database: Database.Database, work: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    work();
    database.exec('COMMIT');
  } finally {
    if (database.inTransaction) database.exec('ROLLBACK');
  }
}
