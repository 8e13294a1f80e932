import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { SyncError } from '../../src/errors.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { DEFAULT_BACKOFF } from '../../src/queue/backoff.js';
import { runJob } from '../../src/queue/run-job.js';
import { ORDERS, trigger } from './agenda-rig.js';

const DEPS = { logger: silentLogger, metrics: noMetrics, clock: systemClock, backoff: DEFAULT_BACKOFF };

async function waits(code: 'ERR_QUEUE_UNREACHABLE' | 'ERR_CONSUL_UNREACHABLE'): Promise<readonly number[]> {
  const fail = () => Promise.reject(new SyncError(code, 'away', { retriable: true }));
  const tried = { key: ORDERS, triggers: [trigger(ORDERS, 'a')], attempts: 20 };
  const { signal } = new AbortController();
  const outcomes = Array.from({ length: 200 }, () => runJob(DEPS, fail, tried, signal));
  return (await Promise.all(outcomes)).map((each) => (each.kind === 'done' ? 0 : each.afterMs));
}

it('tries again soon when the store was away, because nothing says to a key that it is back', async () => {
  expect(Math.max(...(await waits('ERR_QUEUE_UNREACHABLE')))).toBeLessThanOrEqual(5_000);
  expect(Math.max(...(await waits('ERR_CONSUL_UNREACHABLE')))).toBeGreaterThan(5_000);
});
