import { z } from 'zod';
import { type Decision, isMade, REASONS } from '../model/decision.js';
import { safeParse } from '../safe-parse.js';
import { CLIENT } from './decision-schema.js';
import { EDGE_ACCESS } from './edge-access.js';
import { toCloudEvent } from './envelope.js';

export const EDGE_STATE_TYPE = 'dev.scopemesh.edge.state';
export const EDGE_CURSOR_TYPE = 'dev.scopemesh.edge.cursor';

const ENVELOPE = {
  specversion: z.literal('1.0'),
  time: z.iso.datetime({ offset: true }),
  source: z.string(),
  datacontenttype: z.literal('application/json'),
};

/** The present state of an edge as a CloudEvent: the definition of its JSON Schema. */
export const EDGE_STATE_EVENT = z.object({
  ...ENVELOPE,
  id: z.string().describe('That of the decision that made this state.'),
  type: z.literal(EDGE_STATE_TYPE),
  subject: z.string().describe('That of the decision, and the Kafka key.'),
  data: z.object({
    source: z.string(),
    destination: z.string(),
    namespace: z.string(),
    partition: z.string(),
    access: EDGE_ACCESS,
    possible: EDGE_ACCESS.exactOptional().describe(
      'Present if a crash left the outcome of a write unknown: perhaps this is the access.',
    ),
    client: CLIENT.exactOptional(),
    reason: z.enum(REASONS).describe('That of the decision.'),
    mappingRevision: z.string(),
    revision: z.int().min(1).describe('That of the decision. Smaller ones of the same log are older.'),
    chain: z
      .object({ log: z.string(), sequence: z.int().min(1) })
      .exactOptional()
      .describe('The place of the decision in the hash chain of its log.'),
  }),
});

/** Which decisions the states contain, as a CloudEvent: the definition of both the parser and the JSON Schema. */
export const EDGE_CURSOR_EVENT = z.object({
  ...ENVELOPE,
  id: z.string(),
  type: z.literal(EDGE_CURSOR_TYPE),
  subject: z.string().describe('cursor/<owner>, and the Kafka key.'),
  data: z.object({
    owner: z.string(),
    log: z.string().exactOptional().describe('The hash chain of the newest decision in the states.'),
    sequence: z
      .int()
      .min(1)
      .exactOptional()
      .describe('Its number: up to it the states contain every decision.'),
    offsets: z
      .record(z.string().regex(/^\d+$/), z.string().regex(/^\d+$/))
      .describe('By partition of the decision topic: before this offset the states contain every decision.'),
  }),
});
export type EdgeCursor = z.infer<typeof EDGE_CURSOR_EVENT>;

/** A record of the state topic; a value of null ends the edge. */
export interface EdgeStateRecord {
  readonly subject: string;
  readonly event: z.infer<typeof EDGE_STATE_EVENT> | null;
}

/** The state that a decision leaves; undefined if it says nothing of the state of an edge. */
export function toEdgeState(decision: Decision): EdgeStateRecord | undefined {
  const { resource, outcome, subject, client, reason, mappingRevision, revision, chain } = decision;
  const { kind, source, destination, namespace = 'default', partition = 'default' } = resource;
  if (kind !== 'intention' || source === undefined || destination === undefined) return undefined;
  const made = isMade(decision);
  if (!made && outcome !== 'unknown') return undefined;
  const { data, ...envelope } = toCloudEvent(decision);
  const [before, after] = [toAccess(data.before), toAccess(data.after)];
  if (after === null && (made || before === null)) return { subject, event: null };
  return {
    subject,
    event: {
      ...envelope,
      type: EDGE_STATE_TYPE,
      data: {
        source,
        destination,
        namespace,
        partition,
        access: made ? after : before,
        ...(made ? {} : { possible: after }),
        ...(client === undefined
          ? {}
          : {
              client: { provider: client.provider, clientId: client.clientId, actorKind: client.actorKind },
            }),
        reason,
        mappingRevision,
        revision,
        ...(chain === undefined ? {} : { chain: { log: chain.log, sequence: chain.sequence } }),
      },
    },
  };
}

/** The last state of each edge that the decisions change, in their order. */
export function lastStates(decisions: readonly Decision[]): readonly EdgeStateRecord[] {
  const states = new Map<string, EdgeStateRecord>();
  for (const decision of decisions) {
    const state = toEdgeState(decision);
    if (state !== undefined) states.set(state.subject, state);
  }
  return [...states.values()];
}

/** Access of a form that is not known is not hidden. */
function toAccess(content: unknown): z.infer<typeof EDGE_ACCESS> {
  const access = safeParse(EDGE_ACCESS, content ?? null);
  return access.success ? access.data : { access: 'other' };
}
