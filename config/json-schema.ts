import { z } from 'zod';
import { definedFields } from '../src/model/defined-fields.js';
import { FILE } from './schema.js';

/** A string with a reference. Its value is checked when the file is loaded, not by an editor. */
const REFERENCE = { type: 'string', pattern: '\\$\\{' } as const;

/** The JSON Schema (draft 2020-12) of the written file, in which references can replace values. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(FILE, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema, zodSchema }) => {
      // Keys are never expanded, nor is `kind`, with which an editor chooses the branch.
      const isExpandable =
        jsonSchema.type === 'number' ||
        jsonSchema.type === 'integer' ||
        (jsonSchema.type === 'string' && (jsonSchema.enum !== undefined || jsonSchema.pattern !== undefined));
      if (!isExpandable || zodSchema instanceof z.ZodLiteral) return;
      const { description, default: fallback, ...constraint } = jsonSchema;
      for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
      Object.assign(jsonSchema, {
        ...definedFields({ description, default: fallback }),
        anyOf: [constraint, REFERENCE],
      });
    },
  });
  return { title: 'scopemesh configuration file', ...schema };
}
