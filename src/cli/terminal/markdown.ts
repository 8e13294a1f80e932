import { bounded } from './screen.js';

const MAX_IN_CELL = 300;

/** A table; rows that do not fit into this many characters are counted. Empty without rows. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  mostCharacters: number,
): readonly string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const lines = [line(head), line(head.map(() => '---'))];
  let characters = 0;
  for (const row of rows) {
    const text = line(row);
    characters += text.length + 1;
    if (characters > mostCharacters) break;
    lines.push(text);
  }
  const left = rows.length + 2 - lines.length;
  return [lines.join('\n'), ...(left === 0 ? [] : [`and ${left} more`])];
}

/** A text as code in a cell of a table (GitHub Flavored Markdown, sections 4.10 and 6.3). */
export function code(text: string): string {
  const shown = bounded(text, MAX_IN_CELL);
  if (shown.trim() === '') return '';
  // A code span can hold neither backticks nor, in a table, a bar. Character references can.
  if (!/[`|\\]|^ | $/.test(shown)) return `\`${shown}\``;
  return `<code>${shown.replace(/[^A-Za-z0-9 ]/gu, (sign) => `&#${sign.codePointAt(0)};`)}</code>`;
}

export function clientCode(
  client: { readonly provider: string; readonly clientId: string } | undefined,
): string {
  return client === undefined ? '' : code(`${client.provider}/${client.clientId}`);
}
