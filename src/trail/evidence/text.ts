import { printable } from '../../model/printable.js';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A text for HTML, in an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** A text for a cell of a table: a long word may break anywhere, so that the page is wide enough; a short one stays whole. */
export function breakableHtml(text: string): string {
  return escapeHtml(text).replace(/\S{25,}/g, '<span class="long">$&</span>');
}

/** A row of RFC 4180. A spreadsheet takes a cell that begins with one of these characters for a formula: a quote stops it. */
export function csvRow(cells: readonly (string | number | undefined)[]): string {
  return `${cells
    .map((cell) => {
      const text = printable(String(cell ?? ''));
      const safe = typeof cell === 'string' && /^\s*[=+\-@|%]/.test(text) ? `'${text}` : text;
      return `"${safe.replaceAll('"', '""')}"`;
    })
    .join(',')}\r\n`;
}

/** `11 ms`, `1.2 s`, `3 min`. */
export function millisText(ms: number | undefined): string {
  if (ms === undefined) return '–';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
