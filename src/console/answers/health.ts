import { z } from 'zod';
import { count, Finding, instant, text, World } from './fields.js';

/* How scopemesh itself is. */

export const Health = World.extend({
  findings: z.array(Finding).describe('What is not as it should be, with the remedy.'),
  leading: z
    .object({
      ...{ replica: text, host: text, address: text.nullable(), since: instant },
      isAlive: z.boolean().describe('It gave a sign of life lately.'),
    })
    .nullable()
    .describe('The replica that leads, or led last.'),
  mappingRevision: text.describe('Of the replica that answers.'),
  replicas: z.array(
    z.object({
      ...{ replica: text, host: text, address: text.nullable(), version: text, startedAt: instant },
      ...{ mode: text, mappingRevision: text, leads: z.boolean(), seenSeconds: z.number() },
    }),
  ),
  reads: z
    .array(
      z.object({
        name: text,
        ageSeconds: z.number().nullable().describe('Null: never, or not by this replica.'),
        isLate: z.boolean().nullable().describe('Older than it should be. Null: not known.'),
      }),
    )
    .describe('What scopemesh knows of each side, and how old it is.'),
  queue: z.object({
    ...{ waiting: count, delayed: count, active: count, parked: count },
    unpublished: count.describe('Decisions that the log does not have yet.'),
    oldestSeconds: z
      .number()
      .nullable()
      .describe('Of the oldest revocation that is not applied. Null: this replica does not know.'),
  }),
  parked: z
    .array(z.object({ key: text, attempts: count, error: text, since: instant }))
    .describe('The first 20 of them.'),
  providers: z.array(
    z.object({
      ...{ name: text, kind: text },
      state: z.enum(['answers', 'paused', 'unread', 'unknown']).describe('Only the leader knows.'),
      lastEventAt: instant.nullable().describe('The last event, however it came.'),
      lastPollAt: instant.nullable(),
      readAt: instant.nullable().describe('The last complete read of the directory.'),
      clients: count.nullable(),
      rechecks: count.describe('Rechecks that are due after events.'),
      pause: z
        .object({ why: z.enum(['rate-limit', 'credentials']), since: instant, until: instant })
        .nullable()
        .describe('The provider refuses every request; the next one is at `until`.'),
      error: text.nullable().describe('Why it cannot be read.'),
    }),
  ),
});
export type Health = z.infer<typeof Health>;

export const HEALTH_ROUTES = {
  health: {
    path: '/api/health',
    summary: 'How scopemesh itself is: every replica answers',
    query: z.strictObject({}),
    answer: Health,
  },
} as const;
