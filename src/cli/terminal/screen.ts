import { createColors } from 'picocolors';
import { inertJson, inertText, printable } from '../../model/printable.js';

/** A stream to print to; `isTTY` says whether a person sees it. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export type Colors = ReturnType<typeof createColors>;

/** Where a command prints: text for people, in colour on a terminal, or JSON. */
export interface Screen {
  readonly colors: Colors;
  /** Whether a person can answer questions. */
  readonly isInteractive: boolean;
  /** A text of ours, with its colours and lines. */
  line(text?: string): void;
  /** A line that may have names of others. */
  text(text: string): void;
  /** One JSON document, indented only on a terminal. */
  json(value: unknown): void;
  /** One JSON document on one line. */
  jsonLine(value: unknown): void;
  /** To stderr, each text on its line. It may have names of others. */
  warn(...texts: readonly string[]): void;
}

export function createScreen(facts: {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly isInputTerminal: boolean;
  readonly noColor: boolean;
}): Screen {
  const { stdout, stderr } = facts;
  const isTerminal = stdout.isTTY === true;
  const write = (json: string) => void stdout.write(`${inertJson(json)}\n`);
  return {
    colors: createColors(isTerminal && !facts.noColor),
    isInteractive: isTerminal && facts.isInputTerminal,
    line: (text = '') => void stdout.write(`${inertText(text)}\n`),
    text: (text) => void stdout.write(`${printable(text)}\n`),
    json: (value) => write(JSON.stringify(value, null, isTerminal ? 2 : undefined)),
    jsonLine: (value) => write(JSON.stringify(value)),
    warn: (...texts) => void stderr.write(texts.map((text) => `${printable(text)}\n`).join('')),
  };
}

export { printable };

/** Printable, and no longer than `limit` characters. */
export function bounded(text: string, limit: number): string {
  const shown = printable(text);
  return shown.length <= limit ? shown : `${shown.slice(0, limit - 1)}…`;
}

/** Columns padded to their widest cell, without trailing spaces. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  return rows.map((row) =>
    row
      .map((cell, index) => {
        const isLast = row.slice(index + 1).every((later) => later === '');
        return isLast ? cell : cell.padEnd(widths[index] ?? 0);
      })
      .join('  ')
      .trimEnd(),
  );
}
