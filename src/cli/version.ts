import { readFileSync } from 'node:fs';

/** The version in package.json, which is two folders above the sources and three above the built files. */
export function readVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const parsed: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (typeof parsed !== 'object' || parsed === null) continue;
      const { name, version }: { name?: unknown; version?: unknown } = parsed;
      if (name === 'scopemesh' && typeof version === 'string') return version;
    } catch {
      // Not in this folder: try the next one.
    }
  }
  return 'unknown';
}
