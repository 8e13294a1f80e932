import { z } from 'zod';
import { CLASSIFIED_KINDS } from '../model/actor.js';

const text = z.string();

/** A permission as `before` and `after` have it; more keys may come. */
export const PERMISSION = z.object({
  methods: z.array(text).exactOptional().describe('Absent: every method.'),
  pathExact: text.exactOptional(),
  pathPrefix: text.exactOptional(),
  pathRegex: text.exactOptional(),
  headers: z
    .array(
      z.object({
        name: text,
        present: z.boolean().exactOptional(),
        exact: text.exactOptional(),
        prefix: text.exactOptional(),
        suffix: text.exactOptional(),
        regex: text.exactOptional(),
        invert: z.boolean().exactOptional(),
      }),
    )
    .exactOptional(),
  jwt: z
    .object({ provider: text, verifyClaims: z.array(z.object({ path: z.array(text), value: text })) })
    .exactOptional()
    .describe("The user's token that a call must carry as well."),
});

/** The OAuth client of a decision or an edge. */
export const CLIENT = z.object({
  provider: z.string(),
  clientId: z.string(),
  actorKind: z.enum(CLASSIFIED_KINDS),
});

/** The access of an edge in `before` and `after`, in the form of the topic; null: none. */
export const EDGE_ACCESS = z
  .union([
    z.null(),
    z.object({ access: z.enum(['allow', 'deny']) }),
    z.object({ access: z.literal('http'), permissions: z.array(PERMISSION) }),
    z.object({ access: z.literal('other').describe('Access that scopemesh does not write.') }),
  ])
  .describe('What the source may do at the destination; null: no access of its own.');
