import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/clock.js';
import {
  isDenied,
  isLeaderless,
  isUnknownTopic,
  toSyncError,
  within,
} from '../../../src/decisions/kafka/kafka-error.js';
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

  it('never repeats what the brokers say of a password, wherever in the error it is', () => {
    const refused = Object.assign(new Error('not hunter2'), { name: 'KafkaJSSASLAuthenticationError' });
    const translated = toSyncError(new Error('hunter2 failed', { cause: refused }), 'writing decisions');
    expect(translated).toMatchObject({ code: 'ERR_DECISIONS_UNREACHABLE', retriable: false });
    expect(translated.message).toContain('the brokers refused the user and password');
    expect([translated.message, translated.cause]).toEqual([
      expect.not.stringContaining('hunter2'),
      undefined,
    ]);
  });

  const ofType = (type: string) => Object.assign(new Error('no'), { type });
  const causing = (error: Error) => new Error('retries exceeded', { cause: error });
  const among = (...errors: readonly Error[]) => Object.assign(new Error('some failed'), { errors });
  it.each<[string, readonly boolean[], Error]>([
    ['a refusal', [true, false, false], ofType('GROUP_AUTHORIZATION_FAILED')],
    [
      'a refusal of one of several topics',
      [true, false, false],
      among(new Error(), ofType('TOPIC_AUTHORIZATION_FAILED')),
    ],
    [
      'a wrong password',
      [true, false, false],
      causing(Object.assign(new Error(), { name: 'KafkaJSSASLAuthenticationError' })),
    ],
    ['an election', [false, true, false], causing(ofType('LEADER_NOT_AVAILABLE'))],
    ['the wrong broker', [false, true, false], ofType('NOT_LEADER_FOR_PARTITION')],
    ['a new topic', [false, false, true], causing(ofType('UNKNOWN_TOPIC_OR_PARTITION'))],
    ['anything else', [false, false, false], among(causing(ofType('REQUEST_TIMED_OUT')))],
  ])('is told apart: %s', (_, expected, error) => {
    expect([isDenied(error), isLeaderless(error), isUnknownTopic(error)]).toEqual(expected);
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
