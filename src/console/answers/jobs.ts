import { z } from 'zod';
import { count, instant, text } from './fields.js';

/** A report of evidence that somebody asked for: what `scopemesh evidence` writes. */
export const Job = z.object({
  id: text,
  by: text.describe('Who asked for it.'),
  from: instant,
  to: instant.nullable().describe('Null: until it was made, which is not known yet.'),
  startedAt: instant,
  state: z.enum(['running', 'done', 'failed']),
  checked: count.nullable().describe('Decisions that were verified so far; null: none yet.'),
  of: count.nullable().describe('How many there are; null: not known.'),
  files: z.array(z.object({ name: text, bytes: count })),
  verified: z.boolean().nullable().describe('Whether the log is proven; null before the end.'),
  error: text.nullable(),
  keptUntil: instant.nullable().describe('When its files are removed.'),
});
export type Job = z.infer<typeof Job>;

export const Jobs = z.object({ rows: z.array(Job) });
export type Jobs = z.infer<typeof Jobs>;
