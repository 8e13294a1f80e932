import { z } from 'zod';

/* What the answers of every area have in common. Like them it imports nothing but zod. */

export const text = z.string();
export const count = z.int().min(0);
export const instant = z.string().meta({ format: 'date-time' });
export const ids = z.array(text);

/** How many rows a page has at most. */
const MAX_ROWS = 500;
export const Cursor = text.min(1).max(1_000).exactOptional();
export const Limit = z.coerce.number().int().min(1).max(MAX_ROWS).default(100);
export const Filter = text.min(1).max(512).exactOptional();
export const Query = text.max(200).default('');

/** What an answer about the world knows. */
export const World = z.object({
  asOf: z.object({
    at: instant,
    decision: text
      .nullable()
      .describe('The last decision in the log when the answer began: a stream goes on after it.'),
  }),
  complete: z.boolean().describe('False: what is missing here may be there.'),
  unknown: z.array(text).describe('What could not be read, in sentences.'),
});
export type World = z.infer<typeof World>;

/** What somebody should look at. */
export const Finding = z.object({ what: text, since: instant.nullable(), remedy: text });

export const ClientId = z.object({ provider: text, id: text });

/** A page of rows about the world. */
export function pageOf<Row extends z.ZodType>(row: Row) {
  return World.extend({
    total: count.describe('How many rows match, on all pages.'),
    rows: z.array(row),
    next: text.nullable().describe('The cursor of the next page.'),
  });
}
