import { z } from 'zod';
import { ClientId, Cursor, count, ids, instant, Limit, pageOf, Query, text } from './fields.js';

/* The ACL tokens of Consul on their way to zero. No answer has the secret of one. */

const Counts = z.object({
  ...{ management: count, static: count, 'static-expiring': count, anonymous: count, login: count },
});

export const TokenRow = z.object({
  accessorId: text,
  kind: text,
  inUseHere: z.boolean().describe('scopemesh itself uses it.'),
  description: text,
  authMethod: text.nullable().describe('Of a login.'),
  createdAt: instant,
  expiresAt: instant.nullable(),
  services: z
    .array(z.object({ name: text, client: ClientId.nullable().describe('That the service claims.') }))
    .describe('Services that it can register, at most 20.'),
  can: ids.nullable().describe('What it grants, at most 20 rules; null: not known.'),
  rules: count.describe('How many rules that is in all.'),
  replaceableBy: ClientId.nullable().describe('The client whose login grants the same and the least beside.'),
  instead: text
    .nullable()
    .describe('What takes its place, or what that still needs. Null: it needs nothing, or nobody knows.'),
});
export type TokenRow = z.infer<typeof TokenRow>;

export const Tokens = pageOf(TokenRow).extend({
  counts: Counts.describe("How many there are of each kind, without scopemesh's own."),
  givesTokens: z.boolean().describe('Whether the configuration lets clients or persons log in to Consul.'),
  replaceable: count.describe('Static ones that a login can replace now.'),
  days: z
    .array(z.object({ day: text, counts: Counts.partial() }))
    .describe('As the last comparison of each day counted them, the oldest first; at most 400.'),
});
export type Tokens = z.infer<typeof Tokens>;

export const TOKEN_ROUTES = {
  tokens: {
    path: '/api/tokens',
    summary: 'The ACL tokens of Consul, and the logins that could replace static ones',
    query: z.strictObject({
      kind: z.enum(['static', 'management', 'anonymous', 'login']).default('static'),
      q: Query.describe('A part of the accessor ID, the description, a rule, a policy, a role or a service.'),
      cursor: Cursor,
      limit: Limit,
    }),
    answer: Tokens,
  },
} as const;
