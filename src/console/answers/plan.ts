import { z } from 'zod';
import { count, ids, text, World } from './fields.js';

/* What would change: the plan of now, and that of a simulation. The rows are those of `scopemesh plan --json`. */

const Row = z.object({
  subject: text,
  action: text,
  reason: text,
  resource: z.object({
    kind: text,
    source: text.exactOptional(),
    destination: text.exactOptional(),
    name: text.exactOptional(),
    namespace: text.exactOptional(),
    partition: text.exactOptional(),
  }),
  client: z.object({ provider: text, clientId: text, actorKind: text.exactOptional() }).exactOptional(),
  person: z
    .object({
      provider: text,
      subject: text.exactOptional(),
      group: text.exactOptional(),
      actorKind: text,
    })
    .exactOptional(),
  scopes: z.array(text).readonly(),
  before: z.unknown(),
  after: z.unknown(),
});

export const PlannedChange = Row.extend({ verb: text });
export type PlannedChange = z.infer<typeof PlannedChange>;

export const PlannedHold = Row.extend({
  detail: text,
  decisionId: text.nullable().describe('Of the recorded hold; null before it is recorded.'),
  rejectedBy: text.nullable(),
});
export type PlannedHold = z.infer<typeof PlannedHold>;

const Objects = z.object({ create: count, update: count, delete: count });

const PlanDocument = World.extend({
  owner: text,
  mode: text,
  isWritten: z.boolean().describe('Whether the mode lets scopemesh write the changes.'),
  mappingRevision: text,
  changes: z.array(PlannedChange).describe('At most 500; `summary` counts all.'),
  holds: z.array(PlannedHold).describe('At most 500; `summary` counts all.'),
  summary: z.object({
    open: count,
    change: count,
    close: count,
    held: count,
    claims: count,
    jwtProviders: Objects,
    acl: Objects,
  }),
  left: z.object({ changes: count, holds: count }).describe('How many more rows the plan has.'),
});

export const PlanPage = PlanDocument;
export type PlanPage = z.infer<typeof PlanPage>;

export const WhatIf = PlanDocument.extend({
  assumptions: ids,
  alreadyPending: count.describe(
    'Changes at the same destinations that the plan has without the assumption.',
  ),
  cancelled: count.describe('Pending changes that the assumption makes needless.'),
  reach: z
    .object({
      before: count,
      after: count,
      gained: ids.describe('Services, at most 500.'),
      lost: ids.describe('Services, at most 500.'),
      protected: ids.describe('Protected services that the client would reach.'),
    })
    .nullable()
    .describe('What the services of the client reach over any number of calls; null without a client.'),
  notes: ids.describe('What the simulation does not say.'),
  real: z
    .array(
      z.object({ where: z.enum(['identity-provider', 'mapping', 'scopemesh']), what: text, command: text }),
    )
    .describe('How the assumption becomes real.'),
});
export type WhatIf = z.infer<typeof WhatIf>;

const Scopes = text.max(2_000).default('').describe('Scopes with a space between them.');

export const PLAN_ROUTES = {
  plan: {
    path: '/api/plan',
    summary: 'What would change in Consul now, and why',
    query: z.strictObject({}),
    answer: PlanPage,
  },
  whatIf: {
    path: '/api/what-if',
    summary: 'What would change if a client, a scope or a rule were another one. Changes nothing',
    query: z.strictObject({
      client: text.min(1).max(800).exactOptional().describe('A client ID, also as PROVIDER/CLIENT-ID.'),
      add: Scopes,
      remove: Scopes,
      state: z.enum(['disabled', 'quarantined']).exactOptional(),
      rule: text
        .min(1)
        .max(4_000)
        .exactOptional()
        .describe('Further rules as YAML, as they are under `scopes` of the configuration.'),
    }),
    answer: WhatIf,
  },
} as const;
