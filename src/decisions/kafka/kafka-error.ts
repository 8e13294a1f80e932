import type { Clock } from '../../clock.js';
import { messageOf, SyncError } from '../../errors.js';
import { fieldOf } from '../../model/field-of.js';

const SASL_ERROR = 'KafkaJSSASLAuthenticationError';

/** An error of the client library as ERR_DECISIONS_UNREACHABLE; retriable unless a person must grant a permission. */
export function toSyncError(error: unknown, doing: string): SyncError {
  if (error instanceof SyncError) return error;
  // A broker may repeat what it refuses, so neither its text nor the error that holds it goes on.
  if (causesOf(error).some(({ name }) => name === SASL_ERROR)) {
    const message = `Kafka: ${doing} failed: the brokers refused the user and password of \`decisions.sasl\`; check both and the mechanism (docs/how-to/publish-to-kafka.md).`;
    return new SyncError('ERR_DECISIONS_UNREACHABLE', message, { retriable: false });
  }
  const denied = isDenied(error);
  const remedy = denied
    ? '; grant the user of `decisions.sasl` the permissions that docs/how-to/publish-to-kafka.md lists'
    : '';
  return new SyncError('ERR_DECISIONS_UNREACHABLE', `Kafka: ${doing} failed: ${messageOf(error)}${remedy}.`, {
    retriable: !denied,
    cause: error,
  });
}

/** The operation's result, or ERR_DECISIONS_UNREACHABLE after the time; a later result is dropped. */
export async function within<T>(ms: number, doing: string, clock: Clock, operation: Promise<T>): Promise<T> {
  const settled = new AbortController();
  const late = clock.sleep(ms, settled.signal).then(
    () => {
      throw new SyncError('ERR_DECISIONS_UNREACHABLE', `Kafka: ${doing} took longer than ${ms} ms.`, {
        retriable: true,
      });
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([operation, late]);
  } catch (error) {
    throw toSyncError(error, doing);
  } finally {
    settled.abort();
  }
}

/** Whether the brokers refuse the user or its operation. */
export function isDenied(error: unknown): boolean {
  return causesOf(error).some((cause) => {
    // The client library reports faults of single topics in the list of one error.
    const parts = fieldOf(cause, 'errors');
    if (Array.isArray(parts) && parts.some(isDenied)) return true;
    const type = fieldOf(cause, 'type');
    return cause.name === SASL_ERROR || (typeof type === 'string' && type.endsWith('AUTHORIZATION_FAILED'));
  });
}

/** Whether a partition has no leader at this moment, or the client looked for it at the wrong broker. */
export function isLeaderless(error: unknown): boolean {
  return hasType(error, ['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE']);
}

/** Whether a broker does not know the topic: a new one, for a moment. */
export function isUnknownTopic(error: unknown): boolean {
  return hasType(error, ['UNKNOWN_TOPIC_OR_PARTITION']);
}

function hasType(error: unknown, types: readonly string[]): boolean {
  return causesOf(error).some((cause) => types.includes(String(fieldOf(cause, 'type'))));
}

/** An error and what caused it. */
function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < 5; cause = cause.cause)
    causes.push(cause);
  return causes;
}
