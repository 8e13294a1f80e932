import { readdir, readFile, writeFile } from 'node:fs/promises';
import { withGenerated } from './generated.js';

// Run with `npx tsx docs/write-tables.ts` after a change of METRICS, of the configuration or of a command's help; a
// test compares.
const folder = new URL('.', import.meta.url);
for (const name of await readdir(folder, { recursive: true })) {
  if (!name.endsWith('.md')) continue;
  const file = new URL(name, folder);
  const text = await readFile(file, 'utf8');
  const written = await withGenerated(text);
  if (written !== text) await writeFile(file, written);
}
