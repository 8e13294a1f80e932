/** The exports of `scopemesh/decisions`, for programs that subscribe to the decision topic. */

export { type ErrorCode, SyncError } from '../errors.js';
export type { Cause, CauseKind, Principal } from '../model/cause.js';
export type {
  ChangeReason,
  Decision,
  DecisionAction,
  HoldReason,
  OtherReason,
  Outcome,
  Reason,
  Resource,
  ResourceKind,
  Verb,
} from '../model/decision.js';
export { Secret } from '../model/secret.js';
export { type CloudEvent, decisionJsonSchema } from './decision-schema.js';
export { CONTENT_TYPE, parseCloudEvent, toCloudEvent } from './envelope.js';
export type { KafkaSasl, KafkaTlsFiles } from './kafka/connection.js';
export { type ConsumeOptions, consumeDecisions, type DecisionHandler } from './kafka/consume-decisions.js';
export type { DecisionLog, ReadOptions } from './log.js';
export { readDecisionFile } from './read-decision-file.js';
export { type StreamOptions, streamDecisions } from './stream-decisions.js';
