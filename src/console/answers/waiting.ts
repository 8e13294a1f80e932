import { z } from 'zod';
import { ClientId, Cursor, count, ids, instant, Limit, pageOf, text, World } from './fields.js';

/* What waits for a person, or lasts until a person ends it. */

const Kind = z.enum(['hold', 'break-glass', 'quarantine', 'deny', 'freeze']);

export const WaitingRow = z.object({
  id: text.describe('Of its page, and of a ruling on a hold or a break-glass grant.'),
  kind: Kind,
  isOpen: z.boolean().describe('It waits for a person. False: it is in effect until somebody ends it.'),
  subject: text.describe('Of the decisions about it.'),
  from: text.nullable(),
  to: text.nullable(),
  client: ClientId.nullable(),
  action: text.nullable().describe('Of a held change: whether it opens or closes access.'),
  reason: text.nullable().describe('Of a hold.'),
  detail: text.nullable().describe('Why; what a person wrote, or why scopemesh holds it.'),
  scopes: ids,
  before: z.unknown(),
  after: z.unknown(),
  since: instant.nullable(),
  until: instant.nullable().describe('When it ends by itself.'),
  by: text.nullable().describe('The person who asked for it or ordered it.'),
  firstApproval: z.object({ by: text, at: instant, comment: text.nullable() }).nullable(),
  rejectedBy: text.nullable(),
  approvers: count.describe('How many persons must agree before it opens anything.'),
  decision: text.nullable().describe('The decision that began it.'),
  fingerprint: text.describe('Of all that is above. A ruling that names another one is refused.'),
  isMine: z.boolean().describe('The caller asked for it, or approved first.'),
  may: z
    .record(text, z.union([z.literal(true), text]))
    .describe('What can be done about it: `true`, or why the caller may not do it.'),
});
export type WaitingRow = z.infer<typeof WaitingRow>;

export const Waiting = pageOf(WaitingRow);
export type Waiting = z.infer<typeof Waiting>;

export const WaitingPage = World.extend(WaitingRow.shape);
export type WaitingPage = z.infer<typeof WaitingPage>;

export const WAITING_ROUTES = {
  waiting: {
    path: '/api/holds',
    summary: 'What waits for a person, and what lasts until a person ends it',
    query: z.strictObject({
      kind: Kind.exactOptional(),
      cursor: Cursor,
      limit: Limit,
    }),
    answer: Waiting,
  },
  waitingFor: {
    path: '/api/holds/{id}',
    summary: 'One thing that waits for a person',
    query: z.strictObject({ id: text.min(1).max(2_000) }),
    answer: WaitingPage,
  },
} as const;
