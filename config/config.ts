import type { ActorKind } from '../src/model/actor.js';
import type { BreakGlassLimits } from '../src/model/break-glass.js';
import type { FreezeSchedule } from '../src/model/freeze.js';
import type { GroupRules } from '../src/model/login.js';
import type { ActorClassification, ActorLimit, ClaimPolicy, Mode, Rule } from '../src/model/rule.js';
import type { Select } from '../src/plan/selection.js';
import type { HttpSettings } from './http-settings.js';
import type { ProviderSettings } from './providers/providers.js';
import type { ParsedFile } from './schema.js';
import type { WebhookSettings } from './webhook-settings.js';

export type { HttpToken } from './http-settings.js';
export type { ProviderSettings } from './providers/providers.js';
export type { WebhookSettings } from './webhook-settings.js';

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
  readonly queue: Readonly<ParsedFile['queue']>;
  readonly decisions: DecisionSettings;
  readonly http: HttpSettings;
  /** Absent: nothing is sent. */
  readonly telemetry?: TelemetrySettings;
  readonly state: { readonly directory: string };
  /** Of the session in Consul. */
  readonly leaseTtlMs: number;
  readonly resyncMs: number;
}

export type TelemetrySettings = Readonly<NonNullable<ParsedFile['telemetry']>>;

/** As in the file, without an empty token. */
export type ConsulSettings = Readonly<ParsedFile['consul']>;

type DecisionSettings = LogSettings<ParsedFile['decisions']>;

/** Distributes over the kinds of logs. */
type LogSettings<Parsed extends ParsedFile['decisions']> = Parsed extends unknown
  ? Readonly<Omit<Parsed, 'keep' | 'webhooks'>> & {
      readonly keepMs: number;
      readonly webhooks: readonly WebhookSettings[];
    }
  : never;
