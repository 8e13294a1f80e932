import { readFileSync } from 'node:fs';
import { fieldOf } from '../model/field-of.js';
import { packageFile } from '../package-file.js';

/** The version in package.json. */
export function readVersion(): string {
  try {
    const version = fieldOf(JSON.parse(readFileSync(packageFile('package.json'), 'utf8')), 'version');
    return typeof version === 'string' ? version : 'unknown';
  } catch {
    return 'unknown';
  }
}
