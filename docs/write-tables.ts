import { readdir, readFile, writeFile } from 'node:fs/promises';
import { withConsole } from './console-openapi.js';
import { withGenerated } from './generated.js';
import { withLines } from './mechanisms.js';

// Run with `npx tsx docs/write-tables.ts` after a change of METRICS, of the configuration, of a command's help, of the
// answers of the console or of a mechanism; a test compares.
const folder = new URL('.', import.meta.url);
for (const name of await readdir(folder, { recursive: true })) {
  if (!name.endsWith('.md')) continue;
  const file = new URL(name, folder);
  const text = await readFile(file, 'utf8');
  const written = await withLines(await withGenerated(text));
  if (written !== text) await writeFile(file, written);
}
const openapi = new URL('openapi.yaml', folder);
const described = await readFile(openapi, 'utf8');
await writeFile(openapi, withConsole(described));
