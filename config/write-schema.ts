import { writeFile } from 'node:fs/promises';
import { configJsonSchemaText } from './json-schema.js';

// Run with `npx tsx config/write-schema.ts` after a change of the schema; a test compares the two.
await writeFile(new URL('scopemesh.schema.json', import.meta.url), configJsonSchemaText());
