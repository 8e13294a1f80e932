import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';

/** A row of the table of mechanisms in docs/architecture.md. */
export interface Mechanism {
  readonly name: string;
  readonly prevents: string;
  /** A link. */
  readonly promise: string;
  /** Relative to the root; the main one first. */
  readonly files: readonly string[];
  /** As the page has it. */
  readonly lines: string;
}

const ROOT = new URL('../', import.meta.url);
const TABLE = /(?<=^## The mechanisms\n)(?:(?!^## ).*\n)*/m;
const ROW = /^\| (?!mechanism |-)(.+?) \| (.+?) \| (.+?) \| (.+?) \| (.*?) \|$/gm;

export function mechanismsIn(text: string): readonly Mechanism[] {
  const [table = ''] = TABLE.exec(text) ?? [];
  return [...table.matchAll(ROW)].map(
    ([, name = '', prevents = '', promise = '', files = '', lines = '']) => ({
      name,
      prevents,
      promise,
      files: filesIn(files),
      lines,
    }),
  );
}

/** The page with the lines of each mechanism as they are now. Another page stays as it is. */
export async function withLines(text: string): Promise<string> {
  let result = text;
  for (const { name, files } of mechanismsIn(text)) {
    const counts = await Promise.all(files.map(linesOf));
    const sum = counts.reduce((all, count) => all + count, 0).toLocaleString('en');
    const begins = `| ${name} | `;
    result = result
      .split('\n')
      .map((line) => (line.startsWith(begins) ? line.replace(/[^|]*\|$/, ` ${sum} |`) : line))
      .join('\n');
  }
  return result;
}

/** `[src/queue/agenda.ts](../src/queue/agenda.ts), `turns.ts``: a name without a top folder is beside the first file. */
function filesIn(cell: string): readonly string[] {
  const [, main = ''] = /^\[([^\]]+)\]/.exec(cell) ?? [];
  const others = [...cell.matchAll(/`([^`]+)`/g)].map(([, file = '']) =>
    /^(?:src|workers|config)\//.test(file) ? file : posix.join(posix.dirname(main), file),
  );
  return [main, ...others];
}

async function linesOf(file: string): Promise<number> {
  const text = await readFile(new URL(file, ROOT), 'utf8').catch((error: unknown) => {
    throw new Error(`the table of mechanisms names ${file}`, { cause: error });
  });
  return text.split('\n').length - 1;
}
