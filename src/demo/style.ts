import { createColors } from 'picocolors';
import type { Output } from '../cli/terminal/screen.js';

/** How to print on this terminal. */
export interface Style {
  readonly colors: ReturnType<typeof createColors>;
  /** The present width of the terminal, because people resize windows. */
  columns(): number;
  readonly signs: {
    readonly opened: string;
    readonly closed: string;
    readonly held: string;
    readonly other: string;
    readonly arrow: string;
    readonly ellipsis: string;
  };
}

const PLAIN_COLUMNS = 100;
const FEWEST_COLUMNS = 40;

export function createStyle(
  stdout: Output,
  environment: Readonly<Record<string, string | undefined>>,
): Style {
  const isTerminal = stdout.isTTY === true;
  const { NO_COLOR: noColor = '' } = environment;
  return {
    colors: createColors(isTerminal && noColor === ''),
    columns: () => Math.max(FEWEST_COLUMNS, stdout.columns ?? PLAIN_COLUMNS),
    signs: speaksUnicode(environment)
      ? { opened: '✓', closed: '✗', held: '○', other: '·', arrow: '→', ellipsis: '…' }
      : { opened: '+', closed: 'x', held: 'o', other: '-', arrow: '->', ellipsis: '...' },
  };
}

/** In POSIX, the first of the three that is set and not empty decides. */
function speaksUnicode(environment: Readonly<Record<string, string | undefined>>): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = environment;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

/** The text, cut to at most `width` cells. */
export function truncate(text: string, width: number, style: Style): string {
  if (text.length <= width) return text;
  return text.slice(0, Math.max(0, width - style.signs.ellipsis.length)).trimEnd() + style.signs.ellipsis;
}

/** The words in lines of at most `width` cells; all but the first begin with `indent`. */
export function wrap(words: readonly string[], width: number, indent = ''): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
