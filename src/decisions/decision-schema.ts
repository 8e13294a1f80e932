import { z } from 'zod';
import type { ClassifiedKind } from '../model/actor.js';
import type {
  ChangeReason,
  DecisionAction,
  HoldReason,
  OtherReason,
  Outcome,
  Reason,
  ResourceKind,
  Verb,
} from '../model/decision.js';
import type { CauseKind } from '../model/trigger.js';

/** Every member of a union of texts, so that the compiler finds what is missing here and what is too much. */
type Members<T extends string> = { readonly [K in T]: K };

const CHANGE_REASONS = {
  ScopeGranted: 'ScopeGranted',
  ScopeRevoked: 'ScopeRevoked',
  ClientDisabled: 'ClientDisabled',
  ClientEnabled: 'ClientEnabled',
  ClientDeleted: 'ClientDeleted',
  ClaimAdded: 'ClaimAdded',
  ClaimRemoved: 'ClaimRemoved',
  MappingChanged: 'MappingChanged',
  ActorLimited: 'ActorLimited',
  ProtectedService: 'ProtectedService',
  WildcardWouldAllow: 'WildcardWouldAllow',
  DriftCorrected: 'DriftCorrected',
  RevocationUnconfirmed: 'RevocationUnconfirmed',
  ClientQuarantined: 'ClientQuarantined',
  LifetimeChanged: 'LifetimeChanged',
  MembershipAdded: 'MembershipAdded',
  MembershipRemoved: 'MembershipRemoved',
  SessionRevoked: 'SessionRevoked',
  Adopted: 'Adopted',
} as const satisfies Members<ChangeReason>;

const HOLD_REASONS = {
  RevocationLimit: 'RevocationLimit',
  IncompleteRead: 'IncompleteRead',
  ClientUnreadable: 'ClientUnreadable',
  ClaimTaken: 'ClaimTaken',
  ClaimAmbiguous: 'ClaimAmbiguous',
  ClaimUnconfirmed: 'ClaimUnconfirmed',
  ForeignSource: 'ForeignSource',
  ManagedElsewhere: 'ManagedElsewhere',
  LegacyEntry: 'LegacyEntry',
  MarkLost: 'MarkLost',
  Contended: 'Contended',
  EntryTooLarge: 'EntryTooLarge',
  InvalidServiceName: 'InvalidServiceName',
  ProtectedDestination: 'ProtectedDestination',
  ProtocolUnsuitable: 'ProtocolUnsuitable',
  UserTokenUnenforceable: 'UserTokenUnenforceable',
  ForeignObject: 'ForeignObject',
  InvalidClientId: 'InvalidClientId',
  InvalidRules: 'InvalidRules',
  LoginUnverifiable: 'LoginUnverifiable',
  LifetimeTooShort: 'LifetimeTooShort',
  Frozen: 'Frozen',
  ModeForbids: 'ModeForbids',
} as const satisfies Members<HoldReason>;

const OTHER_REASONS = {
  SignatureInvalid: 'SignatureInvalid',
  EventInvalid: 'EventInvalid',
  EventStale: 'EventStale',
  Interrupted: 'Interrupted',
  ConsulRefused: 'ConsulRefused',
  Conflict: 'Conflict',
  SweepCompleted: 'SweepCompleted',
  ConfigReloaded: 'ConfigReloaded',
  ConfigRefused: 'ConfigRefused',
  HoldEnded: 'HoldEnded',
} as const satisfies Members<OtherReason>;

const REASONS = { ...CHANGE_REASONS, ...HOLD_REASONS, ...OTHER_REASONS } as const satisfies Members<Reason>;

const KINDS = {
  intention: 'intention',
  claim: 'claim',
  client: 'client',
  'jwt-provider': 'jwt-provider',
  'acl-policy': 'acl-policy',
  'acl-role': 'acl-role',
  'acl-binding-rule': 'acl-binding-rule',
  'acl-auth-method': 'acl-auth-method',
  'acl-token': 'acl-token',
  event: 'event',
  config: 'config',
  sweep: 'sweep',
} as const satisfies Members<ResourceKind>;

const VERBS = {
  planned: 'planned',
  created: 'created',
  updated: 'updated',
  deleted: 'deleted',
  held: 'held',
  released: 'released',
  failed: 'failed',
  drifted: 'drifted',
  rejected: 'rejected',
  reloaded: 'reloaded',
  completed: 'completed',
} as const satisfies Members<Verb>;

const OUTCOMES = {
  applied: 'applied',
  held: 'held',
  refused: 'refused',
  failed: 'failed',
  unknown: 'unknown',
  observed: 'observed',
} as const satisfies Members<Outcome>;

const ACTIONS = {
  grant: 'grant',
  revoke: 'revoke',
  change: 'change',
  none: 'none',
} as const satisfies Members<DecisionAction>;

const ACTORS = {
  human: 'human',
  workload: 'workload',
  agent: 'agent',
  unknown: 'unknown',
} as const satisfies Members<ClassifiedKind>;

const CAUSES = {
  webhook: 'webhook',
  poll: 'poll',
  'full-read': 'full-read',
  'consul-watch': 'consul-watch',
  resync: 'resync',
  'fan-out': 'fan-out',
  order: 'order',
  command: 'command',
  config: 'config',
  retry: 'retry',
} as const satisfies Members<CauseKind>;

const instant = () => z.iso.datetime({ offset: true });
const text = () => z.string().min(1);

/**
 * A decision as a CloudEvent 1.0 in structured mode: the one definition, of the parser and of the JSON Schema.
 * Fields that a later version adds are passed over.
 */
export const CLOUD_EVENT = z.object({
  specversion: z.literal('1.0'),
  id: text().describe('ULID; the same decision delivered again has the same id.'),
  time: instant().describe('When the decision was settled.'),
  source: text().describe('scopemesh/<owner>/<replica>.'),
  type: z.templateLiteral(['dev.scopemesh.', z.enum(KINDS), '.', z.enum(VERBS)]),
  subject: text().describe(
    'What the decision is about, and the Kafka key: decisions of one subject keep their order.',
  ),
  datacontenttype: z.literal('application/json'),
  data: z.object({
    action: z.enum(ACTIONS),
    outcome: z.enum(OUTCOMES).describe('unknown: after a crash the outcome could not be determined.'),
    reason: z.enum(REASONS),
    resource: z.object({
      kind: z.enum(KINDS),
      source: z.string().exactOptional(),
      destination: z.string().exactOptional(),
      namespace: z.string().exactOptional(),
      partition: z.string().exactOptional(),
      name: z.string().exactOptional(),
    }),
    client: z
      .object({ provider: z.string(), clientId: z.string(), actorKind: z.enum(ACTORS) })
      .exactOptional()
      .describe('The OAuth client whose scopes led to the decision.'),
    person: z
      .object({
        provider: z.string(),
        subject: z.string().exactOptional(),
        group: z.string().exactOptional(),
        actorKind: z.literal('human'),
      })
      .exactOptional()
      .describe('The person whose access it is, by the sub of their tokens, and the group that gives it.'),
    scopes: z.array(z.string()).exactOptional(),
    principal: z
      .object({ id: z.string(), ip: z.string().exactOptional() })
      .exactOptional()
      .describe('Who caused the change at the identity provider, if the provider reports it.'),
    cause: z.object({
      kind: z.enum(CAUSES),
      eventId: z.string().exactOptional(),
      receivedAt: instant().describe('When scopemesh first saw the cause.'),
    }),
    before: z.unknown().exactOptional().describe('The resource before the change.'),
    after: z.unknown().exactOptional().describe('The resource after the change, or what it would become.'),
    consul: z.object({ modifyIndex: z.int().min(0) }).exactOptional(),
    detail: z.string().exactOptional().describe('An explanation for people.'),
    mappingRevision: z.string().describe('Digest of the mapping in effect.'),
    revision: z
      .int()
      .min(1)
      .describe(
        'Counts the decisions of the subject from 1. Skips numbers only for a subject that had no decision for a long time.',
      ),
    writeId: z.string().exactOptional().describe('The same for all decisions of one write to Consul.'),
    latencyMs: z.number().min(0).exactOptional().describe('From the cause to the settlement.'),
  }),
});

export type CloudEvent = z.infer<typeof CLOUD_EVENT>;

/** The JSON Schema (2020-12) of the decision event; `docs/decision.schema.json` is this, written down. */
export function decisionJsonSchema(): Readonly<Record<string, unknown>> {
  // `input`: a consumer that validates must let pass the fields that a later version adds.
  const { $schema, ...schema } = z.toJSONSchema(CLOUD_EVENT, { io: 'input' });
  return {
    $schema,
    title: 'scopemesh decision',
    description:
      'A change of mesh access, or a refusal, with its cause, its reason and its outcome (CloudEvents 1.0).',
    ...schema,
  };
}
