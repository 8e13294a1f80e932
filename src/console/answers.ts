import { z } from 'zod';
import {
  ClientId,
  Cursor,
  count,
  Filter,
  Finding,
  ids,
  instant,
  Limit,
  pageOf,
  Query,
  text,
  World,
} from './answers/fields.js';
import { HEALTH_ROUTES } from './answers/health.js';
import { Jobs } from './answers/jobs.js';
import { MAP_ROUTES } from './answers/map.js';
import { Proof } from './answers/past.js';
import { PLAN_ROUTES } from './answers/plan.js';
import { TOKEN_ROUTES } from './answers/tokens.js';
import { WAITING_ROUTES } from './answers/waiting.js';

/*
 * What the console asks the daemon, and what the daemon answers: one table makes the routes, their description in
 * docs/openapi.yaml and the types of the page. It imports zod alone, so that the page can import its types. A larger area has
 * a file in `answers`. Every text in an answer comes from outside: show it as text.
 */

export type { World } from './answers/fields.js';
export { Finding } from './answers/fields.js';
export { Health, Latency } from './answers/health.js';
export { Job, Jobs } from './answers/jobs.js';
export { Mesh, Reach } from './answers/map.js';
export { Proof } from './answers/past.js';
export { PlannedChange, PlannedHold, PlanPage, WhatIf } from './answers/plan.js';
export { type LoginRefusal, Session } from './answers/session.js';
export { TokenRow, Tokens } from './answers/tokens.js';
export { Waiting, WaitingPage, WaitingRow } from './answers/waiting.js';

export const Status = World.extend({
  leader: z
    .object({ replica: text, host: text, address: text.nullable() })
    .nullable()
    .describe('The replica that answers.'),
  mode: text,
  frozen: z
    .object({
      kind: text,
      since: instant,
      until: instant.nullable(),
      reason: text.nullable(),
      by: text.nullable(),
    })
    .nullable(),
  findings: z.array(Finding),
  waiting: z.object({
    holds: count.describe('Every held change, whatever would release it.'),
    approvals: count.describe('The holds that wait for a person.'),
    quarantines: count,
    breakGlass: count.describe('Grants that are open or wait for an approval.'),
  }),
  ownedEdges: count,
  directories: z.array(
    z.object({
      ...{ provider: text, ageSeconds: z.number().nullable(), clients: count },
      isLate: z.boolean().describe('Not read for longer than the alert allows.'),
    }),
  ),
  queue: z.object({ waiting: count, delayed: count, active: count, parked: count }),
  defaultAllow: z.boolean().nullable().describe('Whether the mesh allows what no intention denies.'),
});
export type Status = z.infer<typeof Status>;

export const ServiceRow = z.object({
  name: text,
  callers: count.describe('Intentions that let a source call it.'),
  calls: count.describe('Intentions that let it call a destination.'),
  held: count.describe('Held changes of its edges.'),
  protocol: text.nullable().describe('Null: the catalog was not read.'),
});
export type ServiceRow = z.infer<typeof ServiceRow>;

export const Services = pageOf(ServiceRow);
export type Services = z.infer<typeof Services>;

export const Edge = z.object({
  from: text,
  to: text,
  client: ClientId.nullable().describe('The client that the source claims, or that the intention names.'),
  scopes: ids.describe('The scopes that open it.'),
  rules: ids.describe('The rules of the mapping that open it for these scopes.'),
  access: z
    .enum(['all', 'http', 'deny', 'other', 'none'])
    .describe('What Consul has now. `other`: conditions that scopemesh does not write.'),
  permissions: z
    .array(z.object({ methods: ids.nullable(), path: text.nullable(), user: z.boolean() }))
    .describe('With `http`. Null: every method, every path. `user`: only with a token of a user.'),
  state: z.enum(['open', 'held', 'foreign', 'break-glass', 'closed']),
  reason: text.nullable().describe('Why it is held.'),
  decision: text.nullable().describe('The decision that holds it, or the last one that changed it.'),
});
export type Edge = z.infer<typeof Edge>;

export const Claim = z.object({
  service: text,
  client: ClientId.nullable(),
  kind: z.enum(['claimed', 'refused', 'unrecorded', 'unknown', 'none']),
  detail: text.nullable().describe('Why it does not count.'),
});

export type Claim = z.infer<typeof Claim>;

export const ServicePage = World.extend({
  ...ServiceRow.shape,
  in: z.array(Edge).describe('At most 500; `callers` counts all that are open.'),
  out: z.array(Edge).describe('At most 500; `calls` counts all that are open.'),
  claims: z.array(Claim),
});
export type ServicePage = z.infer<typeof ServicePage>;

export const ClientRow = ClientId.extend({
  name: text.nullable(),
  enabled: z.boolean().nullable().describe('Null: its record cannot be read.'),
  kind: text.describe('Person, workload or agent.'),
  services: ids.describe('Every service that claims it.'),
  scopes: count,
  edges: count.describe('Open edges that scopemesh wrote for it.'),
  blocked: text.nullable().describe('Why it gets no access, whatever its scopes.'),
});
export type ClientRow = z.infer<typeof ClientRow>;

export const Clients = pageOf(ClientRow);
export type Clients = z.infer<typeof Clients>;

export const ClientPage = World.extend({
  ...ClientRow.shape,
  claims: z.array(Claim),
  scopes: z.array(
    z.object({
      name: text,
      api: text.nullable(),
      limited: z.boolean().describe('Its kind may not use this scope.'),
      edges: z.array(Edge),
    }),
  ),
  others: z.array(Edge).describe('Edges of its services that no scope of it opens.'),
});
export type ClientPage = z.infer<typeof ClientPage>;

/** One decision, as lists and the stream have it. */
export const DecisionRow = z.object({
  id: text,
  time: instant,
  subject: text,
  kind: text.describe('What it is about: intention, claim, client and so on.'),
  verb: text,
  action: text,
  outcome: text,
  reason: text,
  from: text.nullable(),
  to: text.nullable(),
  client: ClientId.nullable(),
  person: text.nullable().describe('The person whose access changes.'),
  scopes: ids,
  by: text.nullable().describe('Who caused it.'),
  comment: text.nullable().describe('What the person wrote about it.'),
  cause: text,
  detail: text.nullable(),
  latencyMs: z.number().nullable(),
  sequence: count.nullable().describe('Its place in the hash chain.'),
});
export type DecisionRow = z.infer<typeof DecisionRow>;

export const Decisions = z.object({ rows: z.array(DecisionRow), next: text.nullable() });
export type Decisions = z.infer<typeof Decisions>;

export const DecisionPage = DecisionRow.extend({
  before: z.unknown(),
  after: z.unknown(),
  outlives: z
    .array(
      z.object({
        text,
        until: z
          .union([instant, z.literal('unknown')])
          .nullable()
          .describe('Null: no time ends it.'),
      }),
    )
    .describe('What of a revoked access goes on after the write; of another decision nothing.'),
  event: z.record(text, z.unknown()).describe('The event as the log has it.'),
});
export type DecisionPage = z.infer<typeof DecisionPage>;

/** The document of `scopemesh explain --json`, with the chain behind the verdict. */
export const Explain = World.loose().extend({
  allowed: z.boolean(),
  verdict: z.enum(['allowed', 'with-token', 'partly', 'denied', 'unclear']),
  steps: z.array(
    z.object({
      name: z.enum(['claim', 'client', 'scope', 'rule', 'intention', 'arrival']),
      ok: z.boolean().nullable().describe('Null: it does not count, or nobody can say.'),
      text,
    }),
  ),
  firstBroken: text
    .nullable()
    .describe('The step to mend first; null if the call is allowed and may arrive.'),
  remedy: z
    .object({
      who: z.enum(['identity-provider', 'mapping', 'service', 'consul', 'scopemesh', 'person']),
      what: text,
      command: text.nullable(),
    })
    .nullable(),
});
export type Explain = z.infer<typeof Explain>;

export const Found = z.array(
  z.object({ kind: z.enum(['service', 'client', 'decision']), name: text, url: text }),
);
export type Found = z.infer<typeof Found>;

/**
 * What an event `decisions` of the stream has. An event `status` has the answer of `/api/status`, or a fault; `jobs` says that
 * `/api/jobs` has another answer. After `resync` some decisions are left out: ask again for what you show.
 */
export const DecisionBatch = z.object({ rows: z.array(DecisionRow) });
export type DecisionBatch = z.infer<typeof DecisionBatch>;

/** Of every answer that is not 200. */
export const Fault = z.object({
  error: text,
  code: z
    .enum([
      'NotLeading',
      'NotReconciling',
      'NotFound',
      'BadQuestion',
      'Busy',
      'Unreachable',
      'Denied',
      'Changed',
    ])
    .exactOptional(),
  leader: text.nullable().exactOptional().describe('With NotLeading: the address of the leader.'),
  retryAfterSeconds: count.exactOptional(),
});
export type Fault = z.infer<typeof Fault>;

const NoQuery = z.strictObject({});

/** Every route of the console that only reads, by a name. */
export const ROUTES = {
  ...HEALTH_ROUTES,
  ...TOKEN_ROUTES,
  ...WAITING_ROUTES,
  ...PLAN_ROUTES,
  status: {
    path: '/api/status',
    summary: 'What is going on now',
    query: NoQuery,
    answer: Status,
  },
  services: {
    path: '/api/services',
    summary: 'The services of the mesh',
    query: z.strictObject({
      q: Query.describe('A part of the name.'),
      sort: z
        .enum(['name', '-callers', '-calls', '-held'])
        .default('name')
        .describe('With a minus the largest number comes first.'),
      cursor: Cursor,
      limit: Limit,
    }),
    answer: Services,
  },
  service: {
    path: '/api/services/{name}',
    summary: 'Who may call a service, and what it may call',
    query: z.strictObject({ name: text.min(1).max(512) }),
    answer: ServicePage,
  },
  clients: {
    path: '/api/clients',
    summary: 'The OAuth clients',
    query: z.strictObject({
      q: Query.describe('A part of the ID, the name or the service.'),
      sort: z.enum(['name', '-scopes', '-edges']).default('name'),
      cursor: Cursor,
      limit: Limit,
    }),
    answer: Clients,
  },
  client: {
    path: '/api/clients/{provider}/{clientId}',
    summary: 'What a client opens, by its scopes',
    query: z.strictObject({ provider: text.max(256), clientId: text.max(512) }),
    answer: ClientPage,
  },
  explain: {
    path: '/api/explain',
    summary: 'Whether a call is allowed and arrives, why, and what to mend first',
    query: z.strictObject({
      from: text.min(1).max(512),
      to: text.min(1).max(512),
      method: text
        .regex(/^[A-Za-z]{1,20}$/)
        .exactOptional()
        .describe('Needs `path`.'),
      path: text.startsWith('/').max(4_096).exactOptional().describe('Without it: any request.'),
    }),
    answer: Explain,
  },
  ...MAP_ROUTES,
  search: {
    path: '/api/search',
    summary: 'Services, clients and decisions by a part of their name',
    query: z.strictObject({ q: text.min(1).max(200) }),
    answer: Found,
  },
  decisions: {
    path: '/api/decisions',
    summary: 'Decisions, newest first',
    query: z.strictObject({
      cursor: Cursor.describe('`next` of the page before.'),
      limit: Limit,
      kind: Filter.describe('What it is about.'),
      outcome: Filter,
      action: Filter,
      cause: Filter.describe('Why it was made: `command` for what a person did.'),
      reason: Filter,
      service: Filter.describe('The source or the destination, or the service of a claim.'),
      client: Filter.describe('A client ID, also as PROVIDER/CLIENT-ID.'),
      since: z.iso.datetime({ offset: true }).exactOptional(),
      until: z.iso.datetime({ offset: true }).exactOptional(),
    }),
    answer: Decisions,
  },
  decision: {
    path: '/api/decisions/{id}',
    summary: 'One decision',
    query: z.strictObject({ id: text.min(1).max(128) }),
    answer: DecisionPage,
  },
  proof: {
    path: '/api/decisions/{id}/proof',
    summary: 'A proof that one decision is in the signed log',
    query: z.strictObject({ id: text.min(1).max(128) }),
    answer: Proof,
  },
  jobs: {
    path: '/api/jobs',
    summary: 'Reports of evidence that somebody asked for, newest first',
    query: NoQuery,
    answer: Jobs,
  },
  stream: {
    path: '/api/stream',
    summary: 'Decisions and the state of the daemon as they change, as server-sent events',
    query: z.strictObject({
      after: text
        .min(1)
        .max(128)
        .exactOptional()
        .describe(
          'The last decision that the reader has; Last-Event-ID comes first. Without it new ones only.',
        ),
    }),
    answer: DecisionBatch,
    isStream: true,
  },
} as const;
