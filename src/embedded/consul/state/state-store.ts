import type { Journal, SavedRow } from './journal.js';
import type { Indexed } from './rows.js';
import { createTables, type Table, type TableName, type Tables } from './tables.js';
import type { RowChange, WatchSet } from './watch-set.js';

/** The changes of one write, all applied or none. */
export interface WriteTransaction {
  /** The index this write carries, greater than every one before. */
  readonly index: number;
  get<Name extends TableName>(table: Name, key: string): Tables[Name] | undefined;
  list<Name extends TableName>(table: Name, prefix?: string): Tables[Name][];
  /** The indexes of a row that this write puts. */
  stamp(table: Exclude<TableName, 'facts' | 'tombstones'>, key: string): Indexed;
  /** Puts and removes raise the table's index. */
  put<Name extends TableName>(table: Name, key: string, row: Tables[Name]): void;
  remove(table: TableName, key: string): void;
  /** Raises another index, such as a service's, to this write's. */
  touch(name: string): void;
  forget(name: string): void;
}

/**
 * Consul's state: tables, the index of each, and the queries that wait for a change. Reads and writes are synchronous and
 * the program has one thread, so a query that registers its watch right after reading can miss nothing.
 */
export class StateStore {
  readonly #tables = createTables();
  readonly #indexes = new Map<string, number>();
  readonly #waiting = new Set<{ watch: WatchSet; wake: () => void }>();
  readonly #journal: Journal | undefined;
  #lastIndex = 0;

  constructor(journal?: Journal) {
    this.#journal = journal;
    if (journal === undefined) return;
    const saved = journal.load();
    for (const row of saved.rows) this.#restore(row);
    for (const [name, index] of saved.indexes) this.#indexes.set(name, index);
    this.#lastIndex = saved.lastIndex;
  }

  get<Name extends TableName>(table: Name, key: string): Tables[Name] | undefined {
    return this.#tableOf(table).get(key);
  }

  list<Name extends TableName>(table: Name, prefix = ''): Tables[Name][] {
    return this.#tableOf(table).list(prefix);
  }

  /** The greatest of the named indexes; 0 when none was ever set. */
  indexOf(...names: string[]): number {
    return Math.max(0, ...names.map((name) => this.#indexes.get(name) ?? 0));
  }

  /** Applies `change` whole, or, if it throws, not at all. Waiting queries are woken after it. */
  write<Result>(change: (transaction: WriteTransaction) => Result): Result {
    const index = this.#lastIndex + 1;
    const undo: (() => void)[] = [];
    const changed: RowChange[] = [];
    const touched = new Map<string, number | undefined>();
    const replace = <Name extends TableName>(table: Name, key: string, row: Tables[Name] | undefined) => {
      const before = this.#tableOf(table).set(key, row);
      undo.push(() => this.#tableOf(table).set(key, before));
      changed.push({ table, key });
      setIndex(table, index);
    };
    const setIndex = (name: string, value: number | undefined) => {
      const before = this.#indexes.get(name);
      undo.push(() => setOrDelete(this.#indexes, name, before));
      setOrDelete(this.#indexes, name, value);
      touched.set(name, value);
    };
    const transaction: WriteTransaction = {
      index,
      get: (table, key) => this.get(table, key),
      list: (table, prefix) => this.list(table, prefix),
      stamp: (table, key) => ({
        CreateIndex: this.get(table, key)?.CreateIndex ?? index,
        ModifyIndex: index,
      }),
      put: replace,
      remove: (table, key) => {
        if (this.get(table, key) !== undefined) replace(table, key, undefined);
      },
      touch: (name) => setIndex(name, index),
      forget: (name) => setIndex(name, undefined),
    };
    try {
      const result = change(transaction);
      this.#journal?.commit(
        index,
        changed.map(({ table, key }) => ({ table, key, row: this.#tableOf(table).get(key) })),
        [...touched],
      );
      this.#lastIndex = index;
      this.#publish(changed);
      return result;
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  }

  /** Resolves when something in `watch` changed, or `signal` aborted. Never rejects. */
  changed(watch: WatchSet, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const waiter = { watch, wake };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted) wake();
    });
  }

  close(): void {
    this.#journal?.close();
  }

  #restore<Name extends TableName>(saved: SavedRow<Name>): void {
    this.#tableOf(saved.table).set(saved.key, saved.row);
  }

  #publish(changes: readonly RowChange[]): void {
    if (changes.length === 0) return;
    for (const waiter of [...this.#waiting]) {
      if (waiter.watch.isTouchedBy(changes)) waiter.wake();
    }
  }

  #tableOf<Name extends TableName>(name: Name): Table<Tables[Name]> {
    return this.#tables[name];
  }
}

function setOrDelete(map: Map<string, number>, name: string, value: number | undefined): void {
  if (value === undefined) map.delete(name);
  else map.set(name, value);
}
