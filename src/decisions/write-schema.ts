import { mkdir, writeFile } from 'node:fs/promises';
import { decisionJsonSchema } from './decision-schema.js';
import { typeSchemas } from './type-schemas.js';

// Run with `npx tsx src/decisions/write-schema.ts && npx biome format --write docs` after a change of the schema;
// a test compares the two.
const docs = new URL('../../docs/', import.meta.url);
const write = (file: string, schema: unknown) =>
  writeFile(new URL(file, docs), `${JSON.stringify(schema, null, 2)}\n`);
await mkdir(new URL('schemas/', docs), { recursive: true });
await write('decision.schema.json', decisionJsonSchema());
for (const [name, schema] of typeSchemas()) await write(`schemas/${name}.schema.json`, schema);
