import { beforeEach, expect, it } from 'vitest';
import { createMetrics } from '../../../src/app/metrics.js';
import { storeFindings } from '../../../src/cli/doctor/store-findings.js';
import { systemClock } from '../../../src/clock.js';
import { type DecisionLog, MissingTopic } from '../../../src/decisions/log.js';
import { silentLogger } from '../../../src/observe.js';
import { adapters } from '../../../workers/wire.js';
import { loadText } from '../../config/load-text.js';
import { newDirectory } from '../../support/use-directory.js';

let directory: string;
beforeEach(() => {
  directory = newDirectory();
});

it('a Kafka topic that is missing is a warning with the command that creates it, and is not created', async () => {
  const config = await loadText(`
owner: payments
mode: enforce
consul: { address: "http://127.0.0.1:8500" }
providers: [{ name: main, kind: oidc, issuer: "https://sso.example.com", directory: ./clients.json }]
scopes: { "a:read": { to: a } }
decisions: { kind: kafka, brokers: ["127.0.0.1:9"], topic: audit }
state: { directory: ${directory} }
`);
  const log: Pick<DecisionLog, 'check' | 'close'> = {
    check: () =>
      Promise.reject(new MissingTopic('ERR_DECISIONS_UNREACHABLE', 'no topic', { retriable: false })),
    close: async () => {},
  };
  const options: unknown[] = [];
  const findings = await storeFindings(
    config,
    {
      ...adapters,
      openDecisionLog: async (_config, _runtime, given) => {
        options.push(given);
        return log as DecisionLog;
      },
    },
    { logger: silentLogger, metrics: createMetrics(), clock: systemClock },
  );
  expect(findings.find(({ id }) => id === 'decisions')).toMatchObject({
    severity: 'warning',
    message: expect.stringContaining('no topic audit'),
    remedy: expect.stringContaining('kafka-topics.sh --create --topic audit --partitions 6'),
  });
  expect(options).toEqual([undefined]);
});
