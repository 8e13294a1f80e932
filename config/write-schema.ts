import { writeFile } from 'node:fs/promises';
import { configJsonSchema } from './json-schema.js';

// Run with `npx tsx config/write-schema.ts && npm run format` after a change of the schema; a test compares the two.
const text = `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
await writeFile(new URL('scopemesh.schema.json', import.meta.url), text);
