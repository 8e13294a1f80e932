import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { createKafkaDecisionLog } from '../../src/decisions/kafka/kafka-decision-log.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics } from '../../src/observe.js';
import { failureOf } from '../support/failure-of.js';
import { secretsIn } from './spellings.js';
import { startKafkaStandIn } from './tcp-stand-in.js';

const PASSWORD = 'k7+/=:@ %&-hunter2-of-the-topic';
it('the password is in no log and no error of a broker that repeats what it refuses', async () => {
  const kafka = await startKafkaStandIn(PASSWORD);
  const logged: unknown[] = [];
  const note = (...parts: readonly unknown[]) => logged.push(parts);
  const log = createKafkaDecisionLog({
    brokers: [kafka.address],
    sasl: { mechanism: 'plain', username: 'scopemesh', password: new Secret(PASSWORD) },
    topic: 'decisions',
    clientId: 'test',
    transactionalId: 'test',
    timeoutMs: 5_000,
    logger: { debug: note, info: note, warn: note, error: note },
    metrics: noMetrics,
    clock: systemClock,
  });
  const failure = await failureOf(log.check());
  await log.close();
  await kafka.close();
  expect(kafka.received()).toContain(PASSWORD);
  expect(String(failure)).toContain('the brokers refused the user and password of `decisions.sasl`');
  expect(logged.length).toBeGreaterThan(0);
  const text = inspect([failure, logged], { depth: null, showHidden: true });
  expect(secretsIn(text, new Map([['kafka password', PASSWORD]]))).toEqual([]);
});
