import { serverFailure } from '../exchange.js';
import type { Journal, SavedRow } from './journal.js';
import type { TableName, Tables } from './rows.js';
import { Table } from './table.js';
import type { RowChange, WatchSet } from './watch-set.js';

type TableSet = { readonly [Name in TableName]: Table<Tables[Name]> };

/** The changes of one write, all applied or none. */
export interface WriteTransaction {
  /** The index this write carries, greater than every one before. */
  readonly index: number;
  get<Name extends TableName>(table: Name, key: string): Tables[Name] | undefined;
  list<Name extends TableName>(table: Name, prefix?: string): Tables[Name][];
  put<Name extends TableName>(table: Name, key: string, row: Tables[Name]): void;
  remove(table: TableName, key: string): void;
  /** Raises a named index (a table's, or a finer one such as a service's) to this write's. */
  touch(name: string): void;
  forget(name: string): void;
}

/**
 * Consul's state: tables, the index of each, and who waits for a change. Reads and writes are synchronous and
 * the program has one thread, so a query that registers its watch right after reading can miss nothing.
 */
export class StateStore {
  readonly #tables: TableSet = emptyTables();
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

  get lastIndex(): number {
    return this.#lastIndex;
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
    const tableOf = <Name extends TableName>(name: Name) => this.#tableOf(name);
    const transaction: WriteTransaction = {
      index,
      get: (table, key) => tableOf(table).get(key),
      list: (table, prefix) => tableOf(table).list(prefix),
      put: (table, key, row) => {
        const rows = tableOf(table);
        const before = rows.get(key);
        undo.push(() => (before === undefined ? rows.remove(key) : rows.set(key, before)));
        rows.set(key, row);
        changed.push({ table, key });
      },
      remove: (table, key) => {
        const rows = tableOf(table);
        const before = rows.get(key);
        if (before === undefined) return;
        undo.push(() => rows.set(key, before));
        rows.remove(key);
        changed.push({ table, key });
      },
      touch: (name) => this.#setIndex(name, index, undo, touched),
      forget: (name) => this.#setIndex(name, undefined, undo, touched),
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
      if (signal.aborted) {
        resolve();
        return;
      }
      const waiter = { watch, wake: () => {} };
      const settle = () => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', settle);
        resolve();
      };
      waiter.wake = settle;
      signal.addEventListener('abort', settle, { once: true });
      this.#waiting.add(waiter);
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

  #setIndex(
    name: string,
    index: number | undefined,
    undo: (() => void)[],
    touched: Map<string, number | undefined>,
  ): void {
    const before = this.#indexes.get(name);
    undo.push(() => (before === undefined ? this.#indexes.delete(name) : this.#indexes.set(name, before)));
    if (index === undefined) this.#indexes.delete(name);
    else this.#indexes.set(name, index);
    touched.set(name, index);
  }

  #tableOf<Name extends TableName>(name: Name): Table<Tables[Name]> {
    const table = this.#tables[name];
    if (table === undefined) throw serverFailure(`unknown table ${name}`);
    return table;
  }
}

function emptyTables(): TableSet {
  return {
    'config-entries': new Table(),
    kvs: new Table(),
    tombstones: new Table(),
    nodes: new Table(),
    services: new Table(),
    sessions: new Table(),
    'acl-tokens': new Table(),
    'acl-policies': new Table(),
    'acl-roles': new Table(),
    'acl-auth-methods': new Table(),
    'acl-binding-rules': new Table(),
    facts: new Table(),
  };
}
