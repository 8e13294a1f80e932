import { z } from 'zod';
import { CLIENT, EDGE_ACCESS } from '../decisions/edge-access.js';
import type { Trail } from '../decisions/trail.js';
import { type Decision, REASONS } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import { safeParse } from '../safe-parse.js';
import { limitsOf, refuseBehind } from './answer.js';
import { isPossiblyOpen, type TrailEdge, toEdge } from './edge.js';
import { readSubjectStates } from './read-subject-state.js';
import type { SubjectState } from './subject-state.js';

const PRESENT_EDGE = z.object({
  subject: z.string().describe('The subject of the decisions about the edge.'),
  source: z.string(),
  destination: z.string(),
  namespace: z.string(),
  partition: z.string(),
  access: EDGE_ACCESS,
  possible: EDGE_ACCESS.exactOptional().describe(
    'Present if a crash left the outcome of a write unknown: perhaps this is the access.',
  ),
  client: CLIENT.exactOptional(),
  scopes: z.array(z.string()).describe('The scopes that open the edge, as far as the decisions name them.'),
  decision: z.string().describe('The ID of the last decision that changed the edge, or may have changed it.'),
  reason: z.enum(REASONS).describe('The reason of this decision.'),
});

/** The answer of `GET /api/edges`: every edge that is open, or perhaps open, after one decision. */
export const PRESENT_EDGES = z.object({
  asOf: z
    .object({
      id: z.string(),
      time: z.iso.datetime({ offset: true }),
      log: z.string().exactOptional().describe('The hash chain of the decision.'),
      sequence: z.int().min(1).exactOptional().describe('The place of the decision in this chain.'),
    })
    .nullable()
    .describe(
      'The last decision that the edges contain. The stream goes on after its ID. Null: the log is empty.',
    ),
  edges: z.array(PRESENT_EDGE),
  unknown: z.array(z.string()).describe('What the log cannot know about the edges, in sentences.'),
});
export type PresentEdges = z.infer<typeof PRESENT_EDGES>;

/** The edges as of the newest decision. Later decisions, made while the trail is read, are not in the answer. */
export async function presentEdges(trail: Trail): Promise<PresentEdges> {
  const extent = await trail.extent();
  refuseBehind(extent);
  const newest = await newestIn(trail);
  if (newest === undefined)
    return { asOf: null, edges: [], unknown: [...limitsOf([], extent, extent.last ?? '')] };
  const open: { readonly state: SubjectState; readonly edge: TrailEdge }[] = [];
  for await (const state of readSubjectStates(trail, { prefix: 'intention/' }, { id: newest.id })) {
    const edge = toEdge(state);
    if (edge !== undefined && isPossiblyOpen(edge)) open.push({ state, edge });
  }
  const { id, time, chain } = newest;
  return {
    asOf: { id, time, ...(chain === undefined ? {} : { log: chain.log, sequence: chain.sequence }) },
    edges: open.map(toPresent),
    unknown: [
      ...limitsOf(
        open.map(({ edge }) => edge),
        extent,
        time,
      ),
    ],
  };
}

async function newestIn(trail: Trail): Promise<Decision | undefined> {
  for await (const decision of trail.history('all', {})) return decision;
  return undefined;
}

function toPresent({
  state: { subject, content, client, scopes, uncertain, decision },
  edge: { source, destination, namespace, partition },
}: {
  readonly state: SubjectState;
  readonly edge: TrailEdge;
}): PresentEdges['edges'][number] {
  const { id, reason } = uncertain ?? decision;
  return {
    subject,
    source,
    destination,
    namespace,
    partition,
    access: toForm(content),
    ...(uncertain === undefined ? {} : { possible: toForm(uncertain.after) }),
    ...definedFields({ client }),
    scopes: [...scopes],
    decision: id,
    reason,
  };
}

/** Access of a form that is not known is not hidden. */
function toForm(content: unknown): z.infer<typeof EDGE_ACCESS> {
  const access = safeParse(EDGE_ACCESS, content ?? null);
  return access.success ? access.data : { access: 'other' };
}
