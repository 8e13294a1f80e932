import { z } from 'zod';
import { ids, instant, text } from './fields.js';
import { Reach } from './map.js';

/** What `scopemesh decisions prove` prints. */
export const Proof = z.object({
  event: text.describe('The decision as it is stored, as JSON text.'),
  checkpoint: text.describe('The signed note that covers it.'),
  hashes: ids.describe('From the decision to the root that the note signs (RFC 6962), in base64.'),
});
export type Proof = z.infer<typeof Proof>;

/*
 * Answers of the trail's own routes, as far as the page shows them. They are no routes of the console: the commands have the
 * same answers.
 */

const Citation = z.object({
  id: text,
  time: instant,
  reason: text,
  principal: text.exactOptional(),
});
export type Citation = z.infer<typeof Citation>;

const Permission = z.object({
  methods: ids.exactOptional(),
  pathExact: text.exactOptional(),
  pathPrefix: text.exactOptional(),
  pathRegex: text.exactOptional(),
});

export const PastEdge = z.object({
  source: text,
  destination: text,
  access: z.object({ kind: text, permissions: z.array(Permission).exactOptional() }).exactOptional(),
  client: z.object({ provider: text, clientId: text }).exactOptional(),
  scopes: ids,
  since: Citation.exactOptional(),
  decision: Citation,
  certainty: z.enum(['applied', 'before', 'unknown']),
  held: Citation.exactOptional(),
});
export type PastEdge = z.infer<typeof PastEdge>;

const TrailHead = z.object({
  at: instant,
  asOf: instant.exactOptional(),
  trailBegins: instant.exactOptional(),
  unknown: z.array(text),
});

const At = instant.exactOptional();

/** The questions of the trail that the page asks. */
export const TRAIL_ROUTES = {
  reach: {
    path: '/api/trail/blast-radius',
    query: z.object({ name: text }),
    answer: Reach,
  },
  callers: {
    path: '/api/trail/who-can-call',
    query: z.object({ service: text, at: At }),
    answer: TrailHead.extend({ isKnown: z.boolean(), callers: z.array(PastEdge), held: z.array(PastEdge) }),
  },
  holdings: {
    path: '/api/trail/what-can',
    query: z.object({ name: text, at: At }),
    answer: TrailHead.extend({
      found: z.array(
        z.object({ kind: z.enum(['client', 'service', 'person']), name: text, edges: z.array(PastEdge) }),
      ),
    }),
  },
  call: {
    path: '/api/trail/explain',
    query: z.object({ source: text, destination: text, method: text, path: text.exactOptional(), at: At }),
    answer: TrailHead.extend({
      verdict: z.enum(['allowed', 'with-token', 'partly', 'denied', 'unclear']),
      edge: PastEdge.exactOptional(),
    }),
  },
  diff: {
    path: '/api/trail/access-diff',
    query: z.object({ from: instant, to: At }),
    answer: TrailHead.extend({
      from: instant,
      edges: z.array(
        z.object({
          kind: z.enum(['came', 'went', 'widened', 'narrowed', 'changed', 'unclear']),
          source: text,
          destination: text,
          before: PastEdge.exactOptional(),
          after: PastEdge.exactOptional(),
          decisions: z.array(Citation),
        }),
      ),
    }),
  },
} as const;
