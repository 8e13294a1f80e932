import { readFileSync } from 'node:fs';
import { packageFile } from '../package-file.js';

/** The version in package.json. */
export function readVersion(): string {
  try {
    const parsed: unknown = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return 'unknown';
    const { version }: { version?: unknown } = parsed;
    return typeof version === 'string' ? version : 'unknown';
  } catch {
    return 'unknown';
  }
}
