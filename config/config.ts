import type { ActorKind } from '../src/model/actor.js';
import type { BreakGlassLimits } from '../src/model/break-glass.js';
import type { FreezeSchedule } from '../src/model/freeze.js';
import type { GroupRules } from '../src/model/login.js';
import type { ActorClassification, ActorLimit, ClaimPolicy, Mode, Rule } from '../src/model/rule.js';
import type { Secret } from '../src/model/secret.js';
import type { Select } from '../src/plan/selection.js';
import type { HostPort } from './fields.js';
import type { ProviderSettings } from './providers/providers.js';

export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

export type { ProviderSettings } from './providers/providers.js';

/** A checked configuration with defaults. Paths of files are absolute. */
export interface Config {
  readonly owner: string;
  readonly mode: Mode;
  /** Absent if the instance manages everything. */
  readonly select?: Select;
  readonly consul: ConsulSettings;
  readonly providers: readonly ProviderSettings[];
  readonly services: {
    readonly clientMeta: string;
    readonly clientTag: string;
    readonly claims: ClaimPolicy;
    readonly claimGraceMs: number;
  };
  /** The mapping, flattened in the order of the file. */
  readonly rules: readonly Rule[];
  /** `registered`: only as a service with a registered instance that claims the client. */
  readonly login: boolean | 'registered';
  readonly groups: readonly GroupRules[];
  readonly actors: {
    readonly classify: readonly ActorClassification[];
    readonly limits: Readonly<Record<ActorKind, ActorLimit>>;
  };
  readonly guards: {
    readonly maxRevocations: {
      readonly percent: number;
      readonly atLeast: number;
      readonly windowMs: number;
    };
    readonly protected: readonly string[];
    readonly freeze: readonly FreezeSchedule[];
    /** Absent: off. */
    readonly breakGlass?: BreakGlassLimits;
    readonly approvers: 1 | 2;
  };
  readonly queue: QueueSettings;
  readonly decisions: DecisionSettings;
  readonly http: HttpSettings;
  readonly state: { readonly directory: string };
  /** Of the session in Consul. */
  readonly leaseTtlMs: number;
  readonly resyncMs: number;
}

export interface HttpSettings {
  readonly listen: HostPort;
  /** Of everything but `/events`, if that has a listener of its own. */
  readonly admin?: HostPort;
  readonly tokens: readonly HttpToken[];
}

/** A bearer token. Two may have one name, while one takes the place of the other. */
export interface HttpToken {
  readonly name: string;
  readonly token: Secret;
  /** Whether the holder may approve, reject and release. */
  readonly approve: boolean;
}

export interface TlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
}

export interface ConsulSettings {
  readonly address: string;
  readonly token?: Secret;
  readonly datacenter?: string;
  readonly partition?: string;
  readonly namespace?: string;
  readonly tls?: TlsFiles;
  readonly target?: TargetSettings;
}

/** Intentions are written as manifests for consul-k8s, instead of to Consul. */
export interface TargetSettings {
  readonly kind: 'crd';
  readonly directory: string;
  /** Of Kubernetes. */
  readonly namespace?: string;
  /** Without it, the protocol of a service is left to people. */
  readonly serviceDefaults?: boolean;
}

export type QueueSettings =
  | { readonly kind: 'embedded' }
  | { readonly kind: 'bullmq'; readonly url: Secret; readonly allowUnsafeRedis: boolean };

/** A receiver of the events of the log. */
export interface WebhookSettings {
  readonly name: string;
  readonly url: string;
  readonly secrets: readonly Secret[];
  /** Patterns of event types. */
  readonly types: readonly string[];
  readonly timeoutMs: number;
}

export type DecisionSettings = { readonly webhooks: readonly WebhookSettings[] } & (
  | { readonly kind: 'embedded'; readonly keepMs: number; readonly signingKeyFile?: string }
  | {
      readonly kind: 'kafka';
      readonly signingKeyFile?: string;
      /** `host:port` each. */
      readonly brokers: readonly string[];
      readonly topic: string;
      /** Whether `<topic>.state` holds the present state of each edge. */
      readonly stateTopic: boolean;
      /** Whether the relay keeps an index of the topic in the state directory. */
      readonly index: boolean;
      /** How long the index keeps a decision. */
      readonly keepMs: number;
      readonly tls: boolean | TlsFiles;
      readonly sasl?: {
        readonly mechanism: (typeof SASL_MECHANISMS)[number];
        readonly username: string;
        readonly password: Secret;
      };
    }
);
