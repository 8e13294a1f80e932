import { readFileSync } from 'node:fs';
import { fieldOf } from '../model/field-of.js';
import { jsonIn } from '../model/json-in.js';
import { packageFile } from '../package-file.js';

/** The version in package.json, and the commit of a build that knows it. */
export interface Build {
  readonly version: string;
  readonly commit: string | null;
}

export function readBuild(): Build {
  const version = fieldOf(jsonIn(textOf(packageFile('package.json')) ?? ''), 'version');
  // Above the built files; sources have none.
  const commit = textOf(new URL('../commit', import.meta.url));
  if (typeof version !== 'string') return { version: 'unknown', commit: null };
  const isKnown = commit !== undefined && /^[0-9a-zA-Z.-]{1,64}$/.test(commit);
  return { version, commit: isKnown ? commit : null };
}

/** With the commit as the build metadata of Semantic Versioning: `1.0.0+97b82056e1f0`. */
export function versionText({ version, commit }: Build): string {
  return commit === null ? version : `${version}+${commit}`;
}

function textOf(file: URL): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
