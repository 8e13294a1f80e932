import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { type Check, sha256 } from './run.js';

/** One thing that a release makes. */
export interface Artefact {
  readonly what: string;
  /** Absent for what was not made. */
  readonly file?: string;
  readonly checks: readonly Check[];
  /** The command by which a person publishes it. */
  readonly publish?: string;
  /** Why it was not made, where that is no fault. */
  readonly left?: string;
}

export const isGood = ({ checks }: Artefact) => checks.every(({ ok }) => ok);

/** For `sha256sum --check`. */
export function checksums(artefacts: readonly Artefact[]): string {
  const files = artefacts.flatMap(({ file }) => file ?? []).sort();
  return files.map((file) => `${sha256(file)}  ${basename(file)}\n`).join('');
}

/** What was made, its size, its checks and their result; then the commands of the person who publishes it. */
export function report(version: string, commit: string, artefacts: readonly Artefact[]): string {
  const rows = artefacts.map((artefact) => {
    const { what, file, checks, left } = artefact;
    const made = file === undefined ? `not made: ${left}` : `${basename(file)}, ${statSync(file).size} bytes`;
    const seen = checks.map(({ name, ok, detail }) => {
      const shown = detail === '' ? '' : `: ${detail.replaceAll('\n', '\n      ')}`;
      return `    ${ok ? 'ok    ' : 'FAILED'} ${name}${shown}\n`;
    });
    return `${isGood(artefact) ? 'ok    ' : 'FAILED'} ${what}  ${made}\n${seen.join('')}`;
  });
  const commands = artefacts.flatMap(({ publish }) => publish ?? []);
  const whose = version.includes('-') ? `${version} is a trial. To publish a release` : 'To publish it';
  const end = artefacts.every(isGood)
    ? `${whose}, a person runs:\n${commands.map((command) => `  ${command}\n`).join('')}`
    : 'Publish nothing of it: a check failed.\n';
  return `scopemesh ${version}, commit ${commit}\n\n${rows.join('')}\n${end}`;
}

/** The text of the topmost section of a changelog, and its title. */
export function topSection(changelog: string): { readonly title: string; readonly text: string } {
  const [, title = '', text = ''] = /^## (.+)\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(changelog) ?? [];
  return { title, text: text.trim() };
}
