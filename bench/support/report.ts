import { cpus, totalmem } from 'node:os';
import { LIMIT, OURS } from './row.js';
import { type FigureResult, type RowResult, textOfTarget } from './runner.js';
import type { Spread } from './statistics.js';

export interface Report {
  readonly startedAt: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly options: Readonly<Record<string, unknown>>;
  readonly rows: readonly RowResult[];
}

export function machine(): Report['machine'] {
  const [first] = cpus();
  return {
    cpus: cpus().length,
    model: first?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

const HEAD = ['row', 'figure', 'scopemesh', 'compared with', 'its figure', 'ratio', 'target', 'met'];

/** The table as aligned Markdown: one line for each figure, and one for each further thing it is compared with. */
export function tableOf(rows: readonly RowResult[]): string {
  const lines = [HEAD, ...rows.flatMap(linesOf)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const print = (line: readonly string[]) =>
    `| ${widths.map((width, column) => (line[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [head = '', ...body] = lines.map(print);
  const remarks = rows.flatMap(({ row, remarks }) => remarks.map((remark) => `- ${row}: ${remark}`));
  return [head, rule, ...body, ...(remarks.length === 0 ? [] : ['', ...remarks])].join('\n');
}

function linesOf(row: RowResult): readonly (readonly string[])[] {
  const lines = row.figures.flatMap((figure) => linesOfFigure(figure, row.limit));
  return lines.map((line, at) => [at === 0 ? row.row : '', ...line]);
}

function linesOfFigure(figure: FigureResult, limit: string | undefined): readonly (readonly string[])[] {
  const { contestants, ratios, unit, targets } = figure;
  const targetsOf = (name: string | undefined) => {
    const those = targets.filter(({ against }) => against === name);
    return [
      those.map((target) => textOfTarget(target, unit)).join(', '),
      those.map(({ isMet }) => (isMet === undefined ? '?' : isMet ? 'yes' : 'NO')).join(', '),
    ];
  };
  const ours = spreadText(contestants[OURS], unit);
  const rivals = new Set([
    ...Object.keys(contestants).filter((name) => name !== OURS),
    ...targets.flatMap(({ against }) => against ?? []),
  ]);
  const own = targets.some(({ against }) => against === undefined) || rivals.size === 0;
  const lines = [...rivals].map((name) => [
    name === LIMIT ? (limit ?? name) : name,
    spreadText(contestants[name], unit),
    ratios[name] === undefined ? '' : numberText(ratios[name]),
    ...targetsOf(name),
  ]);
  const all = own ? [['', '', '', ...targetsOf(undefined)], ...lines] : lines;
  return all.map((line, at) => (at === 0 ? [figure.label, ours, ...line] : ['', '', ...line]));
}

function spreadText(spread: Spread | undefined, unit: string): string {
  if (spread === undefined) return '-';
  const { median, min, max, samples } = spread;
  const range = samples.length === 1 ? '' : ` (${numberText(min)} to ${numberText(max)})`;
  return `${numberText(median)}${unit === '' || unit.startsWith('/') ? unit : ` ${unit}`}${range}`;
}

/** Three significant digits. */
export function numberText(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
