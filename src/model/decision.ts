import type { ClassifiedKind } from './actor.js';
import type { Cause, Principal } from './cause.js';
import { compareText } from './compare-text.js';
import type { Residual } from './residual.js';

/** Why a change is made. */
export const CHANGE_REASONS = [
  'ScopeGranted',
  'ScopeRevoked',
  'ClientDisabled',
  'ClientEnabled',
  'ClientDeleted',
  'ClaimAdded',
  'ServiceNamed',
  'ClaimRemoved',
  'MappingChanged',
  'PathNormalised',
  'ActorLimited',
  'ProtectedService',
  'WildcardWouldAllow',
  'DriftCorrected',
  'RevocationUnconfirmed',
  'ClientQuarantined',
  'QuarantineEnded',
  'SecretRotated',
  'LifetimeChanged',
  'MembershipAdded',
  'MembershipRemoved',
  'SessionRevoked',
  'Adopted',
  'Ejected',
  'BreakGlass',
  'BreakGlassEnded',
  'PersonDenied',
  'DenyEnded',
  'RemovedWithParent',
] as const;
export type ChangeReason = (typeof CHANGE_REASONS)[number];

/** Why a change is held. */
export const HOLD_REASONS = [
  'RevocationLimit',
  'IncompleteRead',
  'ClientUnreadable',
  'EntryUnreadable',
  'ClientQuarantined',
  'ClaimTaken',
  'ClaimAmbiguous',
  'ClaimUnconfirmed',
  'ForeignSource',
  'ManagedElsewhere',
  'LegacyEntry',
  'MarkLost',
  'MarkUnrecorded',
  'MappingDiffers',
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
  'BreakGlassRefused',
  'PersonDenied',
  'ModeForbids',
] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/** Reasons of decisions that neither change nor hold anything: a refused event, an interrupted write, a summary. */
const OTHER_REASONS = [
  'SignatureInvalid',
  'EventInvalid',
  'EventStale',
  'Interrupted',
  'ConsulRefused',
  'Conflict',
  'SweepCompleted',
  'ConfigReloaded',
  'ConfigRefused',
  'FreezeStarted',
  'FreezeEnded',
  'BreakGlassAsked',
  'BreakGlassReminder',
  'FirstApproval',
  'HoldEnded',
  'RemovedElsewhere',
  'Found',
  'LeaderChanged',
] as const;
export type OtherReason = (typeof OTHER_REASONS)[number];

export type Reason = ChangeReason | HoldReason | OtherReason;
/** A reason may be in two lists: a quarantine closes what is open, and holds what would open. */
export const REASONS: readonly Reason[] = [
  ...new Set([...CHANGE_REASONS, ...HOLD_REASONS, ...OTHER_REASONS]),
];

export const RESOURCE_KINDS = [
  'intention',
  'claim',
  'client',
  'jwt-provider',
  'acl-policy',
  'acl-role',
  'acl-binding-rule',
  'acl-auth-method',
  'acl-token',
  'event',
  'config',
  'sweep',
  'leader',
  'break-glass',
] as const;
export type ResourceKind = (typeof RESOURCE_KINDS)[number];

export const VERBS = [
  'planned',
  'created',
  'updated',
  'deleted',
  'held',
  'released',
  'quarantined',
  'failed',
  'drifted',
  'rejected',
  'reloaded',
  'completed',
  'changed',
  'found',
] as const;
export type Verb = (typeof VERBS)[number];
/** What a write does to a resource. */
export type WriteVerb = Extract<Verb, 'created' | 'updated' | 'deleted'>;

/** What a decision can be about, or who caused it. */
export const ABOUT_KINDS = ['client', 'source', 'destination', 'person', 'principal'] as const;
export type AboutKind = (typeof ABOUT_KINDS)[number];

export const OUTCOMES = ['applied', 'held', 'refused', 'failed', 'unknown', 'observed'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const DECISION_ACTIONS = ['grant', 'revoke', 'change', 'none'] as const;
export type DecisionAction = (typeof DECISION_ACTIONS)[number];

export interface Resource {
  readonly kind: ResourceKind;
  readonly source?: string;
  readonly destination?: string;
  readonly namespace?: string;
  readonly partition?: string;
  readonly name?: string;
}

/** The person whose access changes. */
export interface DecidedPerson {
  readonly provider: string;
  /** The `sub` of the person's tokens; absent where it is not known. */
  readonly subject?: string;
  /** The group or role that gives it. */
  readonly group?: string;
  readonly actorKind: 'human';
}

/** The place of a decision in the hash chain of its log. */
export interface ChainLink {
  /** Names the log. A lost store begins another one. */
  readonly log: string;
  /** Counts the decisions of the log from 1. */
  readonly sequence: number;
  /** The hash of the decision before it, in hex; zeros for the first. */
  readonly previousHash: string;
  /** SHA-256, in hex, of the event as canonical JSON (RFC 8785) without this field and `proof`. */
  readonly hash: string;
  /** Shows that the key of the log signed the batch of this decision. */
  readonly proof?: BatchProof;
}

/**
 * The place of a decision in its batch, whose Merkle tree (RFC 6962) is signed: each decision proves itself, whatever else a
 * reader has of its batch. Hashes and signature are in base64.
 */
export interface BatchProof {
  /** Counts from 0. */
  readonly index: number;
  /** How many decisions were signed together. */
  readonly size: number;
  /** From the leaf to the root. */
  readonly hashes: readonly string[];
  /** Ed25519, of the root. */
  readonly signature: string;
}

/**
 * A change, or a refusal, with its cause, reason and outcome. `revision` counts the decisions of a subject from 1, in the
 * order of settlement. It skips numbers only for a subject that had no decision for a long time.
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
  /** Why the change would be made, if only the mode or a freeze forbids it. */
  readonly changeReason?: ChangeReason;
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
  /** An explanation for people: why it is held and what would release it, or which access outlives it. */
  readonly detail?: string;
  /** What of a revoked access goes on after the write; only in applied decisions that narrow. */
  readonly residual?: Residual;
  readonly mappingRevision: string;
  readonly revision: number;
  readonly latencyMs?: number;
  /** Added before the publication. */
  readonly chain?: ChainLink;
}

/** A decision before its write, without the fields that the settlement adds. */
export type DraftDecision = Omit<Decision, 'time' | 'outcome' | 'revision' | 'chain'> & {
  /** ModifyIndex of the entry that the write expects (0: absent); tells the next writer whether a crash lost the write. */
  readonly expectedIndex: number;
  /** ISO 8601, when it was recorded: for some time after that its request may still reach Consul. */
  readonly recordedAt?: string;
  /** The scopes that open the edge after the write, for the next writer. */
  readonly opensBy?: readonly string[];
};

/** What scopemesh saw in Consul and did not make: something of its own is there, or is gone. */
export const SEEN_REASONS: readonly Reason[] = ['RemovedElsewhere', 'RemovedWithParent', 'Found'];

/** Whether the subject is now as `after` says: scopemesh made it so, or saw it. */
export function isMade({ outcome, reason }: Pick<Decision, 'outcome' | 'reason'>): boolean {
  return outcome === 'applied' || (outcome === 'observed' && SEEN_REASONS.includes(reason));
}

/** The order of the chain; of several logs, or without a chain, that of time. */
export function compareDecisions(a: Decision, b: Decision): number {
  if (a.chain !== undefined && a.chain.log === b.chain?.log) return a.chain.sequence - b.chain.sequence;
  return compareText(a.time, b.time) || compareText(a.id, b.id);
}
