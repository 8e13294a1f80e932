import { readFileSync } from 'node:fs';
import { fieldOf } from '../model/field-of.js';
import { jsonIn } from '../model/json-in.js';
import { packageFile } from '../package-file.js';

/**
 * The version in package.json and, of a build that knows it, the commit, as the build metadata of Semantic Versioning:
 * `1.0.0+97b82056e1f0`.
 */
export function readVersion(): string {
  const version = fieldOf(jsonIn(textOf(packageFile('package.json')) ?? ''), 'version');
  // Above the built files; sources have none.
  const commit = textOf(new URL('../commit', import.meta.url));
  if (typeof version !== 'string') return 'unknown';
  return commit !== undefined && /^[0-9a-zA-Z.-]{1,64}$/.test(commit) ? `${version}+${commit}` : version;
}

function textOf(file: URL): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
