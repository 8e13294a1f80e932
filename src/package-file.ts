import { existsSync } from 'node:fs';

/** Where a file of the package is: its top is one folder above the sources and two above the built files. */
export function packageFile(path: string): URL {
  const ofSources = new URL(`../${path}`, import.meta.url);
  return existsSync(ofSources) ? ofSources : new URL(`../../${path}`, import.meta.url);
}
