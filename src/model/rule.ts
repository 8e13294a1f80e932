import type { ActorKind } from './actor.js';
import type { BreakGlassLimits } from './break-glass.js';
import type { FreezeSchedule } from './freeze.js';
import type { HeaderMatch, ServiceName } from './intention.js';
import type { AclSettings } from './login.js';
import type { Selection } from './selection.js';

/** What a scope opens: exactly one of `to` (a destination) and `acl` (Consul ACL rules). */
export interface Rule {
  /** Pattern over the scope's name: literal text, `*`, `{name}`. */
  readonly scope: string;
  readonly provider?: string;
  readonly api?: string;
  /** A service name, which may use captures of the scope pattern. */
  readonly to?: string;
  readonly methods?: readonly string[];
  /** The path itself and everything under it. */
  readonly path?: string;
  readonly pathExact?: string;
  readonly pathPrefix?: string;
  readonly pathRegex?: string;
  /** `path` or `pathPrefix` also lets through paths that are not plain (see `PlainPath`), such as `/v1/orders/../admin`. */
  readonly rawPath?: boolean;
  readonly headers?: readonly HeaderMatch[];
  readonly acl?: string;
  /** A call must carry a user's token besides the service's certificate. */
  readonly userRequired: boolean;
  /** Only these kinds of actor; absent means all. */
  readonly actors?: readonly ActorKind[];
}

/** First match wins; exactly one of `attribute` with `equals`, and `clientId` (a pattern). */
export type ActorClassification =
  | { readonly attribute: string; readonly equals: string; readonly kind: ActorKind }
  | { readonly clientId: string; readonly kind: ActorKind };

export interface ActorLimit {
  readonly maxTokenTtlSeconds?: number;
  /** Patterns over scope names that this kind may never use. */
  readonly never: readonly string[];
  readonly onBehalfOf?: 'human';
}

/** Everything in the configuration that decides access. */
export interface Mapping {
  readonly owner: string;
  readonly mode: Mode;
  /** `sha256:…` over the whole mapping. Every decision contains it. */
  readonly revision: string;
  /** Names of the configured providers. */
  readonly providers: readonly string[];
  readonly rules: readonly Rule[];
  readonly claims: ClaimPolicy;
  readonly classify: readonly ActorClassification[];
  readonly limits: Readonly<Record<ActorKind, ActorLimit>>;
  readonly protectedServices: readonly string[];
  readonly freezes: readonly FreezeSchedule[];
  /** Absent: no break-glass grant is possible. */
  readonly breakGlass?: BreakGlassLimits;
  /** How many persons an approval and a break-glass grant need. */
  readonly approvers: 1 | 2;
  readonly acl: AclSettings;
  /** Absent if the instance manages everything. */
  readonly select?: Selection;
  /** Where scopemesh reads services and writes ACL objects; absent: `default` and `default`. */
  readonly place?: Pick<ServiceName, 'partition' | 'namespace'>;
  readonly maxRevocations: { readonly percent: number; readonly atLeast: number; readonly windowMs: number };
}

export const MODES = ['observe', 'extend', 'enforce'] as const;
export type Mode = (typeof MODES)[number];

/** When the claim of a service counts. */
export const CLAIM_POLICIES = ['confirmed', 'first'] as const;
export type ClaimPolicy = (typeof CLAIM_POLICIES)[number];
