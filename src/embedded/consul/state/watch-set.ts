import type { TableName } from './tables.js';

export interface RowChange {
  readonly table: TableName;
  readonly key: string;
}

/** What a blocking query looked at: a change to any of it may wake the query. */
export class WatchSet {
  readonly #tests: ((change: RowChange) => boolean)[] = [];

  /** Any row of the table. */
  table(table: TableName): void {
    this.#tests.push((change) => change.table === table);
  }

  /** The row if it exists; otherwise its whole table, as in a radix tree, which may wake the query needlessly. */
  lookup(table: TableName, key: string, row: object | undefined): void {
    if (row === undefined) this.table(table);
    else this.#tests.push((change) => change.table === table && change.key === key);
  }

  prefix(table: TableName, prefix: string): void {
    this.#tests.push((change) => change.table === table && change.key.startsWith(prefix));
  }

  isTouchedBy(changes: readonly RowChange[]): boolean {
    return changes.some((change) => this.#tests.some((test) => test(change)));
  }
}
