/**
 * scopemesh as a library: the words, the pure plan and the ports. Adapters are chosen by the daemon's configuration;
 * a program that wants the decisions alone imports `scopemesh/decisions`.
 */
export type { Clock } from './clock.js';
export type {
  ClaimRecords,
  Consul,
  Intentions,
  JwtProviders,
  WatchedTable,
  WriteResult,
} from './consul/consul.js';
export type { DecisionLog, ReadOptions } from './decisions/log.js';
export { type ErrorCode, IncompleteRead, RejectedEvent, SyncError } from './errors.js';
export type { Directory, DirectorySnapshot } from './identity/directory.js';
export type { EventPoll, EventSource, IdentityEvent, RawRequest, Reception } from './identity/source.js';
export type { ActorKind, ClassifiedKind } from './model/actor.js';
export type { Catalog, CatalogService, ClaimRecord, Protocol, ServiceInstance } from './model/catalog.js';
export type { Cause, CauseKind, Principal } from './model/cause.js';
export type { Grant, OAuthClient } from './model/client.js';
export type { Decision, DraftDecision, HoldReason, Outcome, Reason, Resource } from './model/decision.js';
export type {
  Access,
  HttpPermission,
  IntentionEntry,
  IntentionSource,
  JwtRequirement,
  ServiceName,
} from './model/intention.js';
export type { ExistingJwtProvider, JwtProviderEntry } from './model/jwt-provider.js';
export { formatKey, type Key, parseKey } from './model/key.js';
export type { RevocationOrder } from './model/order.js';
export type { ActorClassification, ActorLimit, Mapping, Mode, Rule } from './model/rule.js';
export { Secret } from './model/secret.js';
export type { Evidence, Job, Trigger } from './model/trigger.js';
export type { Logger, MetricName, Metrics } from './observe.js';
export type { DestinationInput, UserTokenFacts } from './plan/destination-input.js';
export type { Change, Hold, Plan } from './plan/plan.js';
export { planDestination } from './plan/plan-destination.js';
export type { Journal } from './queue/journal.js';
export type { KeyValueStore } from './queue/key-value-store.js';
export type { JobResult, Queue } from './queue/queue.js';
export { createReconciler } from './reconcile/reconciler.js';
