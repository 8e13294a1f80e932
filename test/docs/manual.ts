import { readdirSync, readFileSync } from 'node:fs';
import { OTHERS, ROOT } from '../../deploy/site/pages.js';

export { ROOT };

/** The pages of the manual, relative to the root. */
export const PAGES: readonly string[] = ['README.md', ...filesIn('docs', '.md')];

/** What is read beside the manual. */
export const OTHER_PAGES: readonly string[] = OTHERS.filter((page) => page !== 'README.md');

export function textOf(page: string): string {
  return readFileSync(`${ROOT}${page}`, 'utf8');
}

export function filesIn(folder: string, ending: string): string[] {
  return readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => `${folder}/${file}`);
}

/** What follows a heading, up to the next one of its level or above. */
export function section(page: string, heading: string): string {
  const [, level = ''] = new RegExp(`^(#+) ${heading}$`, 'm').exec(textOf(page)) ?? [];
  const [, rest = ''] = textOf(page).split(new RegExp(`^#+ ${heading}$`, 'm'));
  if (level === '' || rest === '') throw new Error(`${page} has no heading ${heading}`);
  return rest.split(new RegExp(`^#{1,${level.length}} `, 'm'))[0] ?? '';
}

/** The rows of the Markdown tables in a text, without their heads, as cells. */
export function rows(text: string): string[][] {
  const lines = text.split('\n');
  return lines.flatMap((line, at) => {
    const isHead = lines[at + 1]?.startsWith('| ---') ?? false;
    if (!line.startsWith('| ') || line.startsWith('| ---') || isHead) return [];
    return [
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    ];
  });
}

/** The fenced blocks of a language in a text, those in lists too. */
export function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^( *)\`\`\`${language}\\n(.*?)^\\1\`\`\``, 'gms'))].map(
    ([, indent = '', body = '']) => body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

/** The fenced block that follows `<!-- example NAME -->`. */
export function example(page: string, name: string): string {
  const [, rest = ''] = textOf(page).split(`<!-- example ${name} -->`);
  const [, body] = /^```\w+\n(.*?)^```/ms.exec(rest) ?? [];
  if (body === undefined) throw new Error(`${page} has no example ${name}`);
  return body;
}

/** The texts between backticks. */
export function codes(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

/** The texts between backticks in the prose of a page, each in one line. */
export function codesInProse(page: string): string[] {
  const prose = textOf(page).replaceAll(/^( *)```.*?^\1```/gms, '');
  return codes(prose).map((code) => code.replaceAll(/\s+/g, ' '));
}

/** Where a page says that something is: `[file](path) \`name\``. */
export interface Reference {
  /** Relative to the root. */
  readonly file: string;
  readonly name: string | undefined;
}

/** The references of a page in `docs/` to files of the repository. */
export function references(page: string): readonly Reference[] {
  return [...textOf(page).matchAll(/\]\((?:\.\.\/)+([^)#]+)\)(?:\s+`(\w+)`)?/g)].map(
    ([, file = '', name]) => ({
      file,
      name,
    }),
  );
}
