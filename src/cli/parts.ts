import type { Config, ConsulSettings, ProviderSettings } from '../../config/config.js';
import type { Consul } from '../consul/consul.js';
import type { Checkpoints } from '../decisions/checkpoints.js';
import type { DecisionLog } from '../decisions/log.js';
import type { Trail } from '../decisions/trail.js';
import type { BackoffParts } from '../identity/rate-limit-backoff.js';
import type { GroupRules } from '../model/login.js';
import type { Inbox } from '../queue/inbox.js';
import type { Journal } from '../queue/journal.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Queue } from '../queue/queue.js';
import type { Rechecks } from '../queue/rechecks.js';
import type { StoreSpace } from '../queue/store-space.js';
import type { Runtime } from '../runtime.js';

export interface Provider extends BackoffParts {
  readonly settings: ProviderSettings;
}

export interface Store {
  readonly queue: Queue;
  readonly inbox: Inbox;
  readonly journal: Journal;
  readonly keyValues: KeyValueStore;
  readonly rechecks: Rechecks;
  readonly space: StoreSpace;
  /** Rejects once the store is found to be damaged, so that nothing more can be done with it. */
  readonly damaged?: Promise<never>;
  close(): Promise<void>;
}

/** Of a Kafka topic that scopemesh creates. */
export const TOPIC_PARTITIONS = 6;

/** The part of a configuration that says where the decisions are. */
export type DecisionLogSettings = Pick<Config, 'owner' | 'decisions' | 'state'>;

export interface CheckpointParts {
  readonly log: DecisionLog;
  readonly keyValues: KeyValueStore;
}

/** Opens the adapters that the configuration chooses. `workers/wire.ts` implements it, and alone names adapters. */
export interface Parts {
  openConsul(settings: ConsulSettings, owner: string, runtime: Runtime): Promise<Consul>;
  /** `groups` are those of the mapping. */
  openProvider(settings: ProviderSettings, groups: readonly GroupRules[], runtime: Runtime): Provider;
  openStore(config: Config, runtime: Runtime): Promise<Store>;
  /** Unless `mayCreateTopic` is true, a missing topic is an error of `check`. */
  openDecisionLog(
    settings: DecisionLogSettings,
    runtime: Runtime,
    options?: { readonly mayCreateTopic: boolean },
  ): Promise<DecisionLog>;
  /**
   * Opens the decisions for questions. Those of a topic are copied into a temporary index first, which `fromTopic` asks for;
   * without it, a topic throws SyncError ERR_CONFIG.
   */
  openTrail(
    settings: DecisionLogSettings,
    runtime: Runtime,
    options: { readonly fromTopic: boolean; readonly signal: AbortSignal },
  ): Promise<Trail>;
  /** Undefined without a key. Throws SyncError ERR_CONFIG for a configured key that cannot be used. */
  openCheckpoints(
    settings: DecisionLogSettings,
    parts: CheckpointParts,
    runtime: Runtime,
  ): Checkpoints | undefined;
}
