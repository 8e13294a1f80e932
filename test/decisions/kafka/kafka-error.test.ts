import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/clock.js';
import { toSyncError, within } from '../../../src/decisions/kafka/kafka-error.js';
import { SyncError } from '../../../src/errors.js';

const never = () => new Promise<never>(() => {});
const clock = (sleep: Clock['sleep']): Clock => ({ now: () => 0, sleep });

describe('an error of the Kafka client', () => {
  it('is worth another try when the brokers are away', () => {
    expect(toSyncError(new Error('connect ECONNREFUSED'), 'writing decisions')).toMatchObject({
      code: 'ERR_DECISIONS_UNREACHABLE',
      retriable: true,
      message: 'Kafka: writing decisions failed: connect ECONNREFUSED.',
    });
  });

  it.each([
    Object.assign(new Error('Not authorized to access topics'), { type: 'TOPIC_AUTHORIZATION_FAILED' }),
    Object.assign(new Error('wrong password'), { name: 'KafkaJSSASLAuthenticationError' }),
    new Error('retries exceeded', {
      cause: Object.assign(new Error('no'), { type: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED' }),
    }),
  ])('waits for a person when the user may not: $message', (error) => {
    const translated = toSyncError(error, 'writing decisions');
    expect(translated.retriable).toBe(false);
    expect(translated.message).toContain('docs/how-to/publish-to-kafka.md');
  });

  it('is returned unchanged if it was translated before', () => {
    const error = new SyncError('ERR_INTERNAL', 'no position', { retriable: false });
    expect(toSyncError(error, 'writing decisions')).toBe(error);
  });
});

describe('a time limit', () => {
  it('gives the result that comes in time, and ends its own wait', async () => {
    let waiting: AbortSignal | undefined;
    const sleeping = clock((_, signal) => {
      waiting = signal;
      return never();
    });
    expect(await within(1000, 'asking', sleeping, Promise.resolve(7))).toBe(7);
    expect(waiting?.aborted).toBe(true);
  });

  it('fails once the time is up', async () => {
    const over = within(
      1000,
      'asking',
      clock(() => Promise.resolve()),
      never(),
    );
    await expect(over).rejects.toMatchObject({
      code: 'ERR_DECISIONS_UNREACHABLE',
      retriable: true,
      message: 'Kafka: asking took longer than 1000 ms.',
    });
  });
});
