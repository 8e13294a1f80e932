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

const ms = z.number().nullable();
const times = { count, p50Ms: ms, p95Ms: ms, p99Ms: ms, maxMs: ms };

export const Latency = z.object({
  from: instant.describe('As asked, or the begin of the log if that is later.'),
  to: instant,
  completeSince: instant
    .nullable()
    .describe(
      'What is before does not count, because more than 50,000 decisions are in the time. Null: all count.',
    ),
  unknown: z.array(text).describe('What the log cannot know, in sentences.'),
  all: z.object(times).describe('Exact, from every change that an event caused.'),
  buckets: z
    .array(z.object({ from: instant, to: instant, ...times }))
    .describe('Parts of the time in which something changed, oldest first.'),
  slowest: z
    .array(z.object({ id: text, time: instant, subject: text, ms: z.number() }))
    .describe('At most 20.'),
  marks: z
    .array(z.object({ id: text, time: instant, reason: text }))
    .describe('Changes of the leader, begins and ends of freezes: the last 50.'),
});
export type Latency = z.infer<typeof Latency>;

export const HEALTH_ROUTES = {
  latency: {
    path: '/api/latency',
    summary: 'How long changes took from the event to the answer of Consul, from the log',
    query: z.strictObject({
      from: z.iso.datetime({ offset: true }).exactOptional().describe('Without it: a day before `to`.'),
      to: z.iso.datetime({ offset: true }).exactOptional().describe('Without it: now.'),
    }),
    answer: Latency,
  },
  health: {
    path: '/api/health',
    summary: 'How scopemesh itself is: every replica answers',
    query: z.strictObject({}),
    answer: Health,
  },
} as const;
