import type { Config, ConsulSettings, ProviderSettings, WebhookSettings } from '../../config/config.js';
import type { ConsoleSettings } from '../../config/console-settings.js';
import type { Consul } from '../consul/consul.js';
import type { DecisionLog } from '../decisions/log.js';
import type { NoteSigner, NoteVerifier } from '../decisions/signed-note.js';
import type { TopicContent } from '../decisions/topic-content.js';
import type { Trail } from '../decisions/trail.js';
import type { TrailFault } from '../decisions/verify-trail.js';
import type { WebhookSender } from '../decisions/webhook.js';
import type { BackoffParts } from '../identity/backoff.js';
import type { Store } from '../queue/store-parts.js';
import type { Runtime } from '../runtime.js';

export interface Provider extends BackoffParts {
  readonly settings: ProviderSettings;
}

/** Of a Kafka topic that scopemesh creates. */
export const TOPIC_PARTITIONS = 6;

/** The part of a configuration that says where the decisions are. */
export type DecisionLogSettings = Pick<Config, 'owner' | 'decisions' | 'state'>;

/** The part of a configuration that says at which providers people matter. */
export interface PeopleSettings extends Pick<Config, 'groups'> {
  readonly http: { readonly console: Pick<ConsoleSettings, 'login'> };
}

/** Opens the adapters that the configuration chooses. `workers/wire.ts` implements it, and alone names adapters. */
export interface AdapterFactory {
  openConsul(settings: ConsulSettings, owner: string, runtime: Runtime): Promise<Consul>;
  openProvider(settings: ProviderSettings, config: PeopleSettings, runtime: Runtime): Promise<Provider>;
  openStore(config: Config, runtime: Runtime): Promise<Store>;
  /** Unless `mayCreateTopic` is true, a missing topic is an error of `check`. */
  openDecisionLog(
    settings: DecisionLogSettings,
    runtime: Runtime,
    options?: { readonly mayCreateTopic: boolean },
  ): Promise<DecisionLog>;
  /**
   * Opens the decisions for questions: of a topic its local index, or with `fromTopic` a temporary one that is made first.
   * Throws SyncError ERR_CONFIG without a complete index.
   */
  openTrail(
    settings: DecisionLogSettings,
    runtime: Runtime,
    options: { readonly fromTopic: boolean; readonly signal: AbortSignal },
  ): Promise<Trail>;
  /**
   * Copies what a restore needs of a state directory into an empty one, also while a daemon writes it. Resolves with the names.
   * Throws SyncError ERR_CONFIG, and leaves nothing then.
   */
  copyState(directory: string, to: string): Promise<readonly string[]>;
  /**
   * Derives again what answers read beside the events, here the index of a topic as well, and compares. Call it once the events
   * are verified; `topic`: what they are, if they come from a topic. Throws SyncError ERR_DECISIONS_UNREACHABLE.
   */
  verifyTrail(
    settings: DecisionLogSettings,
    verifiers: readonly NoteVerifier[],
    topic?: TopicContent,
  ): Promise<TrailFault | undefined>;
  /**
   * The key that signs the decisions. Throws SyncError ERR_CONFIG for a configured key that cannot be used; what it returns
   * throws it for another one, and tries again at each call.
   */
  openSigner(settings: DecisionLogSettings, runtime: Runtime): () => NoteSigner;
  /** Throws SyncError ERR_CONFIG for a secret that cannot be valid. */
  openWebhookSender(settings: WebhookSettings, runtime: Pick<Runtime, 'clock'>): Promise<WebhookSender>;
}
