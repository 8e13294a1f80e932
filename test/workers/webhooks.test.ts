import { expect, it } from 'vitest';
import type { WebhookSettings } from '../../config/config.js';
import { systemClock } from '../../src/clock.js';
import { Secret } from '../../src/model/secret.js';
import { type Metrics, silentLogger } from '../../src/observe.js';
import { runWebhooks } from '../../workers/webhooks.js';
import { MemoryDecisionLog } from '../support/memory-decision-log.js';
import { createFacts } from '../support/worker-facts.js';

it('ends when all webhooks have ended, also if one cannot be opened', async () => {
  const of = (name: string, secret: string): WebhookSettings => ({
    name,
    url: 'http://127.0.0.1:1/',
    secrets: [new Secret(secret)],
    types: ['*'],
    timeoutMs: 1_000,
  });
  const webhooks = [of('bad', 'whsec_short'), of('good', `whsec_${'A'.repeat(40)}`)];
  const end = new AbortController();
  const interrupted: unknown[] = [];
  const count: Metrics['count'] = (_, labels) => void interrupted.push(labels);
  const metrics: Metrics = { count, gauge: () => {}, time: () => {} };
  const runtime = { clock: systemClock, logger: silentLogger, metrics };
  const parts = { keyValues: createFacts(), space: { isLow: () => false } };
  const config = { owner: 'payments', decisions: { kind: 'embedded', webhooks } };
  let hasEnded = false;
  const running = runWebhooks(config as never, new MemoryDecisionLog(), parts as never, runtime, end.signal);
  const ended = running.then(() => {
    hasEnded = true;
  });
  await expect.poll(() => interrupted).toContainEqual({ webhook: 'bad' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasEnded).toBe(false);
  end.abort();
  await ended;
});
