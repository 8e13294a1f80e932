import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import { type Clock, systemClock } from '../../clock.js';
import { invalidEvent, messageOf } from '../../errors.js';
import type { Decision } from '../../model/decision.js';
import { silentLogger } from '../../observe.js';
import { isProven, ProofCheck } from '../batch-proof.js';
import { parseCloudEvent } from '../envelope.js';
import { createNoteVerifier } from '../signed-note.js';
import { toTrailRecord } from '../trail-record.js';
import { createKafka, type KafkaConnectionOptions } from './connection.js';
import { toSyncError, within } from './kafka-error.js';

export interface ConsumeOptions
  extends Pick<KafkaConnectionOptions, 'brokers' | 'tls' | 'sasl'>,
    Partial<Pick<KafkaConnectionOptions, 'clientId' | 'logger' | 'timeoutMs'>> {
  /** `scopemesh.decisions`. */
  readonly topic?: string;
  /** The public keys that you trust, as `trail-key.pub` has them: what none of them signed is no decision. */
  readonly keys: readonly string[];
  /** The consumer group: its members share the partitions, and Kafka stores its offsets. */
  readonly groupId: string;
  /** Where a new group begins: `start` (the default) or `end`. */
  readonly from?: 'start' | 'end';
  /** How many IDs are remembered to recognise repeated decisions; 10,000. */
  readonly window?: number;
  /** Called for a message that is not a signed decision, which is then skipped; by default a warning is logged. */
  readonly onInvalid?: (error: Error) => void;
  readonly clock?: Clock;
}

export type DecisionHandler = (decision: Decision) => void | Promise<void>;

const HEARTBEAT_MS = 3_000;
const SESSION_MS = 30_000;
const DISCONNECT_MS = 5_000;

/**
 * Calls the handler with each decision of the topic, in order for each subject, one at a time per partition. At least once:
 * a decision is handled when the handler resolves, and may be repeated after a crash or a change of the group's members;
 * within the window of this call it is not repeated. Resolves when the signal is aborted and the handler is done. Rejects
 * with the error of the handler, without counting that decision, or with SyncError ERR_DECISIONS_UNREACHABLE if the brokers
 * refuse the connection. Waits during outages.
 */
export async function consumeDecisions(
  options: ConsumeOptions,
  handler: DecisionHandler,
  signal: AbortSignal,
): Promise<void> {
  const { groupId, topic = 'scopemesh.decisions', clock = systemClock, logger = silentLogger } = options;
  const { clientId = groupId, timeoutMs = 30_000, from = 'start' } = options;
  const proofs = new ProofCheck(options.keys.map(createNoteVerifier));
  if (signal.aborted) return;
  const kafka = await createKafka({ ...options, clientId, logger, timeoutMs });
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: SESSION_MS,
    heartbeatInterval: HEARTBEAT_MS,
    allowAutoTopicCreation: false,
  });
  const { window = 10_000 } = options;
  const handled = new Set<string>();
  let finish: (failure?: { readonly error: unknown }) => void = () => {};
  const finished = new Promise<{ readonly error: unknown } | undefined>((resolve) => {
    finish = resolve;
  });
  const stop = () => finish();
  signal.addEventListener('abort', stop, { once: true });
  let isFinished = false;

  const handle = async ({ value, offset, key }: KafkaMessage) => {
    const decision = parse(value, proofs, (error) => {
      if (options.onInvalid !== undefined) options.onInvalid(error);
      else
        logger.warn(
          { topic, offset, key: key?.toString('utf8'), error: error.message },
          'skipped a message that is not a decision',
        );
    });
    if (decision === undefined || handled.has(decision.id)) return;
    await handler(decision);
    handled.add(decision.id);
    const [oldest] = handled;
    if (oldest !== undefined && handled.size > window) handled.delete(oldest);
  };
  const eachBatch = async (payload: EachBatchPayload) => {
    for (const message of payload.batch.messages) {
      if (isFinished || signal.aborted || !payload.isRunning() || payload.isStale()) break;
      try {
        await alive(payload.heartbeat, clock, () => handle(message));
      } catch (error) {
        isFinished = true;
        finish({ error });
        break;
      }
      payload.resolveOffset(message.offset);
      await payload.heartbeat();
    }
    await payload.commitOffsetsIfNecessary(payload.uncommittedOffsets());
  };
  consumer.on('consumer.crash', ({ payload }) => {
    if (!payload.restart) finish({ error: toSyncError(payload.error, 'consuming decisions') });
  });
  const running = (async () => {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: from === 'start' });
    if (!signal.aborted) await consumer.run({ eachBatchAutoResolve: false, eachBatch });
  })().catch((error: unknown) => finish({ error: toSyncError(error, 'consuming decisions') }));

  const failure = await finished;
  isFinished = true;
  signal.removeEventListener('abort', stop);
  const leaving = running.then(() => consumer.disconnect());
  // Only the leaving itself has a time limit, not the handler.
  await within(DISCONNECT_MS + timeoutMs, 'leaving the group', clock, leaving).catch((error: unknown) =>
    logger.debug({ error: messageOf(error) }, 'could not leave the consumer group'),
  );
  if (failure !== undefined) throw failure.error;
}

/** Undefined for a checkpoint too. */
function parse(
  value: Buffer | null,
  proofs: ProofCheck,
  onInvalid: (error: Error) => void,
): Decision | undefined {
  try {
    const record = toTrailRecord(value ?? '');
    if (record.kind === 'checkpoint') return undefined;
    const decision = parseCloudEvent(value?.toString('utf8') ?? null);
    if (!isProven(record, proofs)) throw invalidEvent('None of the keys signed the decision.');
    return decision;
  } catch (error) {
    onInvalid(error instanceof Error ? error : new Error(messageOf(error)));
    return undefined;
  }
}

/** Sends heartbeats to the brokers while the operation runs. */
async function alive(
  heartbeat: () => Promise<void>,
  clock: Clock,
  operation: () => Promise<void>,
): Promise<void> {
  const done = new AbortController();
  void (async () => {
    for (;;) {
      await clock.sleep(HEARTBEAT_MS, done.signal);
      await heartbeat();
    }
  })().catch(() => {}); // ended below, or the group changed, which the loop over the batch detects
  try {
    await operation();
  } finally {
    done.abort();
  }
}
