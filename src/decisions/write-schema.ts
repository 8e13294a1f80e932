import { writeFile } from 'node:fs/promises';
import { decisionJsonSchema } from './decision-schema.js';

// Run with `npx tsx src/decisions/write-schema.ts && npx biome format --write docs` after a change of the schema;
// a test compares the two.
const text = `${JSON.stringify(decisionJsonSchema(), null, 2)}\n`;
await writeFile(new URL('../../docs/decision.schema.json', import.meta.url), text);
