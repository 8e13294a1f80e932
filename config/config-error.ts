import { SyncError } from '../src/errors.js';

/** Keys and list positions from the top of the file down to the value. */
export type ConfigPath = readonly (string | number)[];

/** One fault of a configuration file. It never contains a value of the file, which could be a secret. */
export interface ConfigProblem {
  readonly path: ConfigPath;
  /** Counted from 1, as editors do. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What to write instead; empty if the message says it. */
  readonly remedy: string;
}

/** Every fault of a configuration file at once, in the order of the file (`ERR_CONFIG`, not retriable). */
export class ConfigError extends SyncError {
  /** The path of the file as it was given. */
  readonly source: string;
  readonly problems: readonly ConfigProblem[];

  constructor(source: string, problems: readonly ConfigProblem[]) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
    super('ERR_CONFIG', sorted.map((problem) => formatProblem(source, problem)).join('\n'), {
      retriable: false,
    });
    this.source = source;
    this.problems = sorted;
  }
}

/** `scopemesh.yaml:12:5: scopes."orders:read".method: unknown key; did you mean "methods"?` */
export function formatProblem(source: string, problem: ConfigProblem): string {
  const where = `${source}:${problem.line}:${problem.column}`;
  const path = problem.path.length === 0 ? '' : `${formatPath(problem.path)}: `;
  const remedy = problem.remedy === '' ? '' : `; ${problem.remedy}`;
  return `${where}: ${path}${problem.message}${remedy}`;
}

/** `providers[0].webhook.secrets[1]`; keys that are not plain words are quoted. */
export function formatPath(path: ConfigPath): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      const key = /^[A-Za-z_][\w-]*$/.test(part) ? part : JSON.stringify(part);
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}
