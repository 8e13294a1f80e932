import type { ComponentChildren } from 'preact';
import { useChoices } from './filters.js';

interface Column<T> {
  readonly name: string;
  readonly isNumber?: boolean;
  readonly cell: (row: T) => ComponentChildren;
}

interface Listed<T> {
  readonly caption: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
  /** What it says without rows. */
  readonly empty?: ComponentChildren;
}

/** A table. On a narrow screen each row is a block, and each cell says its column. */
export function List<T>({ caption, columns, rows, keyOf, empty }: Listed<T>) {
  if (rows.length === 0 && empty !== undefined) return <p class="empty">{empty}</p>;
  return (
    <table class="list">
      <caption class="unseen">{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ name, isNumber }) => (
            <th key={name} scope="col" class={isNumber === true ? 'number' : ''}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={keyOf(row)} class="row">
            {columns.map(({ name, isNumber, cell }) => (
              <td key={name} class={isNumber === true ? 'number' : ''} data-name={name}>
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface Page {
  readonly shown: number;
  /** On all pages, if the daemon counts them. */
  readonly total?: number;
  /** The cursor of the next page. */
  readonly next: string | null;
}

/** How many of all are shown, and the way to the others. */
export function Pages({ shown, total, next }: Page) {
  const [{ cursor }, choose] = useChoices({ cursor: '' });
  const ofAll = total === undefined || total <= shown ? '' : ` of ${total.toLocaleString()}`;
  return (
    <nav class="pages soft" aria-label="Pages">
      <span>
        {shown.toLocaleString()}
        {ofAll} shown
      </span>
      {cursor !== '' && (
        <button type="button" class="button" onClick={() => choose({ cursor: '' })}>
          First page
        </button>
      )}
      {next !== null && (
        <button type="button" class="button" onClick={() => choose({ cursor: next })}>
          Next page
        </button>
      )}
    </nav>
  );
}
