import type { TableName, Tables } from './tables.js';

export type SavedRow<Name extends TableName = TableName> = {
  [Each in Name]: { readonly table: Each; readonly key: string; readonly row: Tables[Each] };
}[Name];

export interface SavedState {
  readonly rows: readonly SavedRow[];
  readonly indexes: readonly (readonly [string, number])[];
  readonly lastIndex: number;
}

interface JournaledRow {
  readonly table: TableName;
  readonly key: string;
  /** Undefined where the row was removed. */
  readonly row: unknown;
}

/** Stores writes before they are acknowledged. `commit` returns once they would survive a kill. */
export interface Journal {
  load(): SavedState;
  commit(
    index: number,
    rows: readonly JournaledRow[],
    indexes: readonly (readonly [string, number | undefined])[],
  ): void;
  close(): void;
}
