import type { ClassifiedKind } from './actor.js';
import type { Cause, Principal } from './cause.js';

/** Why a change is made. */
export type ChangeReason =
  | 'ScopeGranted'
  | 'ScopeRevoked'
  | 'ClientDisabled'
  | 'ClientEnabled'
  | 'ClientDeleted'
  | 'ClaimAdded'
  | 'ClaimRemoved'
  | 'MappingChanged'
  | 'ActorLimited'
  | 'ProtectedService'
  | 'WildcardWouldAllow'
  | 'DriftCorrected'
  | 'RevocationUnconfirmed'
  | 'ClientQuarantined'
  | 'LifetimeChanged'
  | 'MembershipAdded'
  | 'MembershipRemoved'
  | 'SessionRevoked'
  | 'Adopted';

/** Why a change is deliberately not made yet. */
export const HOLD_REASONS = [
  'RevocationLimit',
  'IncompleteRead',
  'ClientUnreadable',
  'ClaimTaken',
  'ClaimAmbiguous',
  'ClaimUnconfirmed',
  'ForeignSource',
  'ManagedElsewhere',
  'LegacyEntry',
  'MarkLost',
  'Contended',
  'EntryTooLarge',
  'InvalidServiceName',
  'ProtectedDestination',
  'ProtocolUnsuitable',
  'UserTokenUnenforceable',
  'ForeignObject',
  'InvalidClientId',
  'InvalidRules',
  'LoginUnverifiable',
  'LifetimeTooShort',
  'Frozen',
  'ModeForbids',
] as const;

export type HoldReason = (typeof HOLD_REASONS)[number];

/** Why nothing came of something: a refused event, an interrupted write, a summary. */
export type OtherReason =
  | 'SignatureInvalid'
  | 'EventInvalid'
  | 'EventStale'
  | 'Interrupted'
  | 'ConsulRefused'
  | 'Conflict'
  | 'SweepCompleted'
  | 'ConfigReloaded'
  | 'ConfigRefused'
  | 'HoldEnded';

export type Reason = ChangeReason | HoldReason | OtherReason;

export type ResourceKind =
  | 'intention'
  | 'claim'
  | 'client'
  | 'jwt-provider'
  | 'acl-policy'
  | 'acl-role'
  | 'acl-binding-rule'
  | 'acl-auth-method'
  | 'acl-token'
  | 'event'
  | 'config'
  | 'sweep';

export type Verb =
  | 'planned'
  | 'created'
  | 'updated'
  | 'deleted'
  | 'held'
  | 'released'
  | 'failed'
  | 'drifted'
  | 'rejected'
  | 'reloaded'
  | 'completed';

export type Outcome = 'applied' | 'held' | 'refused' | 'failed' | 'unknown' | 'observed';

export type DecisionAction = 'grant' | 'revoke' | 'change' | 'none';

export interface Resource {
  readonly kind: ResourceKind;
  readonly source?: string;
  readonly destination?: string;
  readonly namespace?: string;
  readonly partition?: string;
  readonly name?: string;
}

/** Whose access it is, where it is a person's. */
export interface DecidedPerson {
  readonly provider: string;
  /** The `sub` of the person's tokens; absent where it is not known. */
  readonly subject?: string;
  /** The group or role that gives it. */
  readonly group?: string;
  readonly actorKind: 'human';
}

/**
 * A change, or a refusal, with its cause, reason and outcome. `subject` orders decisions: `revision` counts up
 * from 1 per subject, in the order of settlement. It skips numbers only for a subject that had no decision for long.
 */
export interface Decision {
  /** ULID. */
  readonly id: string;
  /** ISO 8601, when it was settled. */
  readonly time: string;
  readonly type: `dev.scopemesh.${ResourceKind}.${Verb}`;
  readonly subject: string;
  /** `scopemesh/<owner>/<replica>`. */
  readonly source: string;
  readonly action: DecisionAction;
  readonly outcome: Outcome;
  readonly reason: Reason;
  readonly resource: Resource;
  readonly client?: {
    readonly provider: string;
    readonly clientId: string;
    readonly actorKind: ClassifiedKind;
  };
  readonly person?: DecidedPerson;
  readonly scopes?: readonly string[];
  readonly principal?: Principal;
  readonly cause: Cause;
  readonly before?: unknown;
  readonly after?: unknown;
  /** The same for all decisions of one write to Consul. */
  readonly writeId?: string;
  readonly consul?: { readonly modifyIndex: number };
  /** What a person should know: why it is held and what would release it, or what outlives it. */
  readonly detail?: string;
  readonly mappingRevision: string;
  readonly revision: number;
  readonly latencyMs?: number;
}

/** A decision before its write: all but what only the settlement knows. */
export type DraftDecision = Omit<Decision, 'time' | 'outcome' | 'revision'> & {
  /** ModifyIndex of the entry that the write expects (0: absent); lets the next writer judge what a crash left. */
  readonly expectedIndex: number;
  /** ISO 8601, when it was recorded: for some time after that its request may still reach Consul. */
  readonly recordedAt?: string;
  /** The scopes that open the edge once it is written: what the next writer remembers of it. */
  readonly opensBy?: readonly string[];
};
