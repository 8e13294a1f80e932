import { expect, it } from 'vitest';
import { createMetrics } from '../../src/app/metrics.js';
import { systemClock } from '../../src/clock.js';
import { silentLogger } from '../../src/observe.js';
import { runDaemon } from '../../workers/daemon.js';
import { fileWith, loadText } from '../config/load-text.js';

it('refuses a relay that no lease fences before an embedded log that other processes may write too', async () => {
  const runtime = { logger: silentLogger, metrics: createMetrics(), clock: systemClock };
  const never = new AbortController().signal;
  const config = await loadText(fileWith('queue: { kind: bullmq, url: "redis://127.0.0.1:9" }'));
  const only = ['relay'] as const;
  const options = { config, configFile: 'none', only, reload: async () => config, onReload: () => {} };
  await expect(runDaemon(options, runtime, never)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    retriable: false,
    message: expect.stringContaining('Add reconcile to --only'),
  });
});
