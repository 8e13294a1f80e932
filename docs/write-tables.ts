import { readFile, writeFile } from 'node:fs/promises';
import { withTables } from './generated.js';

// Run with `npx tsx docs/write-tables.ts` after a change of METRICS or of the configuration; a test compares.
for (const name of ['operations.md', 'configuration.md']) {
  const file = new URL(name, import.meta.url);
  await writeFile(file, withTables(await readFile(file, 'utf8')));
}
