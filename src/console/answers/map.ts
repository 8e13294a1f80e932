import { z } from 'zod';
import { count, ids, text, World } from './fields.js';

const indexes = z.array(count);

/**
 * The mesh in columns, because a large one has tens of thousands of edges: each name is there once, and everything else is
 * its index. The same mesh gives the same columns.
 */
export const Mesh = World.extend({
  total: z.object({ services: count, edges: count }).describe('Of the whole mesh, whatever was asked for.'),
  groups: ids,
  services: z.object({
    names: ids.describe('In order. `*` is every service.'),
    groups: indexes,
    callers: indexes.describe('Edges that let a source call it, in the whole mesh.'),
    calls: indexes.describe('Edges that let it call a destination, in the whole mesh.'),
  }),
  signs: z
    .array(
      z.object({
        state: z.enum(['open', 'held', 'foreign', 'break-glass', 'closed']),
        access: z.enum(['all', 'http', 'deny', 'other', 'none']),
        methods: ids.nullable().describe('With `http`. Null: every method.'),
        user: z.boolean().describe('Only with a token of a user.'),
      }),
    )
    .describe('How an edge looks.'),
  grants: z.array(ids).describe('The scopes that open an edge, each list once.'),
  edges: z.object({ from: indexes, to: indexes, signs: indexes, grants: indexes }),
});
export type Mesh = z.infer<typeof Mesh>;

const Part = text.max(512).default('');

export const MAP_ROUTES = {
  map: {
    path: '/api/map',
    summary: 'Who may call whom, as columns; all of it, or the part around something',
    query: z.strictObject({
      group: Part.describe('Only edges that begin or end in this group.'),
      focus: Part.describe('Only edges on a way from or to this service.'),
      hops: z.coerce.number().int().min(1).max(3).default(1).describe('With `focus`: the length of the way.'),
      q: Part.describe('Only edges that begin or end at a service with this in its name.'),
    }),
    answer: Mesh,
  },
} as const;

const ReachEdge = z.object({
  source: text,
  destination: text,
  access: z.looseObject({ kind: z.enum(['allow', 'deny', 'http', 'other']) }),
  endsAtQuarantine: z.boolean(),
  writer: z.enum(['scopemesh', 'foreign']),
  decisionId: text.exactOptional(),
});

/** What `blast-radius --json` prints. */
export const Reach = z.object({
  name: text,
  at: text,
  from: z.enum(['consul', 'trail']),
  client: z.object({ provider: text, clientId: text }).exactOptional(),
  starts: ids,
  reached: z.array(
    z.object({ service: text, hops: count, path: ids, edge: ReachEdge, staysReachable: z.boolean() }),
  ),
  protected: z.array(z.object({ service: text, path: ids.nullable() })),
  endsAtQuarantine: z.array(ReachEdge),
  unknown: ids,
});
export type Reach = z.infer<typeof Reach>;
