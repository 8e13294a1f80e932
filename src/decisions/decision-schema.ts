import { z } from 'zod';
import { CAUSE_KINDS } from '../model/cause.js';
import {
  type BatchProof,
  CHANGE_REASONS,
  type ChainLink,
  DECISION_ACTIONS,
  type DecidedPerson,
  type Decision,
  OUTCOMES,
  REASONS,
  RESOURCE_KINDS,
  type Resource,
  VERBS,
} from '../model/decision.js';
import { type Residual, UNKNOWN } from '../model/residual.js';
import { CLIENT } from './edge-access.js';

const instant = () => z.iso.datetime({ offset: true });
const text = () => z.string().min(1);
const seconds = () => z.number().min(0);
const unknown = () => z.literal(UNKNOWN);

/** A schema for each field of the model, so that one that is added there cannot be missing here. */
type Fields<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> };

const RESIDUAL = z.object({
  nextRequests: z
    .literal(true)
    .exactOptional()
    .describe('Each pooled connection of the caller serves its next request by the old permissions.'),
  openStreamsSeconds: z
    .union([seconds(), unknown()])
    .exactOptional()
    .describe(
      'How long open streams and TCP connections stay open: the drain time of Envoy, 600 s by default.',
    ),
  agentCache: z
    .union([
      z.object({ roleSeconds: seconds(), policySeconds: seconds(), tokenSeconds: seconds() }),
      unknown(),
    ])
    .exactOptional()
    .describe('How long a Consul client agent may honour what its servers refuse (acl.*_ttl).'),
  accessTokensUntil: z
    .union([instant(), unknown()])
    .exactOptional()
    .describe(
      'Until then access tokens live that the identity provider issued before; for now always unknown.',
    ),
  untilSynced: z
    .literal(true)
    .exactOptional()
    .describe(
      'Consul refuses the access only when consul-k8s has brought it the manifest that scopemesh wrote.',
    ),
  foreignAllows: z
    .array(z.string())
    .exactOptional()
    .describe('Intentions of others that still let the services in, as source -> destination; 20 at most.'),
} satisfies Fields<Residual>);

/**
 * A decision as a CloudEvent 1.0 in structured mode: the definition of both the parser and the JSON Schema. Unknown fields,
 * which a later version may add, are ignored.
 */
export const CLOUD_EVENT = z.object({
  specversion: z.literal('1.0'),
  id: text().describe('ULID; the same decision delivered again has the same id.'),
  time: instant().describe('When the decision was settled.'),
  source: text().describe('scopemesh/<owner>/<replica>.'),
  type: z.templateLiteral(['dev.scopemesh.', z.enum(RESOURCE_KINDS), '.', z.enum(VERBS)]),
  subject: text().describe(
    'What the decision is about, and the Kafka key: decisions of one subject keep their order.',
  ),
  datacontenttype: z.literal('application/json'),
  traceparent: z
    .string()
    .regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
    .exactOptional()
    .describe(
      'The trace of the webhook request that led to the decision (CloudEvents distributed tracing extension).',
    ),
  data: z.object({
    action: z.enum(DECISION_ACTIONS),
    outcome: z.enum(OUTCOMES).describe('unknown: after a crash the outcome could not be determined.'),
    reason: z.enum(REASONS),
    changeReason: z
      .enum(CHANGE_REASONS)
      .exactOptional()
      .describe('Why the change would be made, if only the mode forbids it (ModeForbids).'),
    resource: z.object({
      kind: z.enum(RESOURCE_KINDS),
      source: z.string().exactOptional(),
      destination: z.string().exactOptional(),
      namespace: z.string().exactOptional(),
      partition: z.string().exactOptional(),
      name: z.string().exactOptional(),
    } satisfies Fields<Resource>),
    client: CLIENT.exactOptional().describe('The OAuth client whose scopes led to the decision.'),
    person: z
      .object({
        provider: z.string(),
        subject: z.string().exactOptional(),
        group: z.string().exactOptional(),
        actorKind: z.literal('human'),
      } satisfies Fields<DecidedPerson>)
      .exactOptional()
      .describe('The person whose access it is, by the sub of their tokens, and the group that gives it.'),
    scopes: z.array(z.string()).exactOptional(),
    principal: z
      .object({
        id: z.string(),
        ip: z.string().exactOptional(),
        note: z.string().exactOptional(),
        comment: z.string().exactOptional(),
      })
      .exactOptional()
      .describe(
        'Who caused the change at the identity provider, if the provider reports it, or by a command. What note says is not proven; comment is what a person wrote about the act.',
      ),
    cause: z.object({
      kind: z.enum(CAUSE_KINDS),
      eventId: z.string().exactOptional(),
      receivedAt: instant().describe('When scopemesh first saw the cause.'),
    }),
    before: z.unknown().exactOptional().describe('The resource before the change.'),
    after: z.unknown().exactOptional().describe('The resource after the change, or what it would become.'),
    consul: z.object({ modifyIndex: z.int().min(0) }).exactOptional(),
    detail: z.string().exactOptional().describe('An explanation for people.'),
    residual: RESIDUAL.exactOptional().describe(
      'What of a revoked access goes on after the write. A field is absent where it does not apply.',
    ),
    mappingRevision: z.string().describe('Digest of the mapping in effect.'),
    revision: z
      .int()
      .min(1)
      .describe(
        'Counts the decisions of the subject from 1. Skips numbers only for a subject that had no decision for a long time.',
      ),
    writeId: z.string().exactOptional().describe('The same for all decisions of one write to Consul.'),
    latencyMs: z.number().min(0).exactOptional().describe('From the cause to the settlement.'),
    chain: z
      .object({
        log: z.string().describe('Names the log; a lost store begins another one.'),
        sequence: z.int().min(1).describe('Counts the decisions of the log from 1.'),
        previousHash: z.string().describe('The hash of the decision before it; zeros for the first.'),
        hash: z
          .string()
          .describe('SHA-256 of the event as canonical JSON (RFC 8785) without this field and proof.'),
        proof: z
          .object({
            index: z
              .int()
              .min(0)
              .describe('The place among the decisions that were signed together, from 0.'),
            size: z.int().min(1).describe('How many decisions were signed together.'),
            hashes: z
              .array(z.string())
              .describe(
                'The audit path (RFC 6962) from the hash to the root of their Merkle tree, in base64.',
              ),
            signature: z.string().describe('Ed25519 signature of the root, in base64.'),
          } satisfies Fields<BatchProof>)
          .exactOptional()
          .describe('Shows that the key of the log signed this decision.'),
      } satisfies Fields<ChainLink>)
      .exactOptional()
      .describe('The place of the decision in the hash chain of its log.'),
  } satisfies Fields<Omit<Decision, 'id' | 'time' | 'type' | 'subject' | 'source'>>),
});

export type CloudEvent = z.infer<typeof CLOUD_EVENT>;

/** The JSON Schema (2020-12) of the decision event; `docs/decision.schema.json` is this, written down. */
export function decisionJsonSchema(): Readonly<Record<string, unknown>> {
  // `input`: a consumer must accept fields that a later version adds.
  const { $schema, ...schema } = z.toJSONSchema(CLOUD_EVENT, { io: 'input' });
  return {
    $schema,
    title: 'scopemesh decision',
    description:
      'A change of mesh access, or a refusal, with its cause, its reason and its outcome (CloudEvents 1.0).',
    ...schema,
  };
}
