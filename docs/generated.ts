import { configJsonSchema } from '../config/json-schema.js';
import { METRICS } from '../src/observe.js';
import { type ConfigurationKey, configurationKeys } from './configuration-keys.js';
import { MEANINGS } from './configuration-meanings.js';

/** The tables of the manual that are made from the code, each by its name in the text. */
function tables(): ReadonlyMap<string, string> {
  const keys = configurationKeys(configJsonSchema());
  return new Map([
    ['metrics', metricsTable()],
    ...CHAPTERS.map(
      ([name, begins]) =>
        [`keys of ${name}`, keysTable(keys.filter(({ path }) => begins.test(path)))] as const,
    ),
  ]);
}

/** Every key belongs to exactly one. */
export const CHAPTERS: readonly (readonly [name: string, begins: RegExp])[] = [
  ['the instance', /^(owner|mode|resync|\$schema)$/],
  ['consul', /^consul\./],
  ['providers', /^providers\b/],
  ['services', /^services\./],
  ['scopes', /^scopes\b/],
  ['actors', /^actors\./],
  ['guards', /^guards\./],
  ['stores', /^(queue|decisions|http|state)\b/],
  ['login and groups', /^(login|groups)\b/],
];

/** A text with each of its generated blocks as it should be. Throws for a block that nothing makes. */
export function withTables(text: string): string {
  const made = tables();
  return text.replaceAll(BLOCK, (_, name: string) => {
    const table = made.get(name);
    if (table === undefined) throw new Error(`no table is called ${name}`);
    return `<!-- generated: ${name} -->\n\n${table}\n\n<!-- end -->`;
  });
}

const BLOCK = /<!-- generated: ([a-z ]+) -->.*?<!-- end -->/gs;

function metricsTable(): string {
  const rows = Object.entries(METRICS).map(([name, [kind, help, labels]]) => [
    `\`${name}\``,
    kind,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return table(['metric', 'kind', 'labels', 'meaning'], rows);
}

function keysTable(keys: readonly ConfigurationKey[]): string {
  const rows = keys.map((key) => [
    `\`${key.path}\``,
    key.type,
    key.isRequired ? 'required' : key.fallback === undefined ? '' : `\`${key.fallback}\``,
    meaningOf(key),
  ]);
  return table(['key', 'type', 'default', 'meaning'], rows);
}

/** Where not all kinds have the key: what it means under which. */
function meaningOf({ path, description, kind, meanings }: ConfigurationKey): string {
  const known = MEANINGS[path];
  if (meanings === undefined) return `${kind === undefined ? '' : `(${kind}) `}${known ?? description}`;
  if (known !== undefined) return `(${meanings.flatMap(({ kinds }) => kinds).join(', ')}) ${known}`;
  return meanings.map(({ kinds, description: text }) => `(${kinds.join(', ')}) ${text}`).join(' ');
}

/** Padded, as the formatter has it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(escaped))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return [line(head), rule, ...cells.slice(1).map(line)].join('\n');
}

function escaped(cell: string): string {
  return cell
    .replaceAll('|', '\\|')
    .replaceAll(/<(?=[a-z])/g, (found, at: number) => (isCode(cell, at) ? found : '&lt;'));
}

/** Whether a place lies between backticks, where Markdown takes nothing for a tag. */
function isCode(text: string, at: number): boolean {
  return text.slice(0, at).split('`').length % 2 === 0;
}
