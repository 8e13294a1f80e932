import { expect, it } from 'vitest';
import { readWebhookStatus } from '../../src/app/webhook-status.js';
import { WebhookCursor } from '../../src/decisions/webhook-cursor.js';
import { SyncError } from '../../src/errors.js';
import { createFacts } from '../support/worker-facts.js';

it('shows a webhook whose cursor cannot be read, so that the others can be seen still', async () => {
  for (const value of ['no JSON', '{}', '[{}]']) {
    const keyValues = createFacts();
    await keyValues.set('webhook/audit', value);
    // The process that delivers finds it.
    await expect(new WebhookCursor(keyValues, 'audit').read()).rejects.toThrow();
    expect(await readWebhookStatus(keyValues, 'audit')).toMatchObject({ name: 'audit', state: 'unreadable' });
  }
});

it('does not hide that the store is away', async () => {
  const away = new SyncError('ERR_QUEUE_UNREACHABLE', 'away', { retriable: true });
  const keyValues = { ...createFacts(), get: () => Promise.reject(away) };
  await expect(readWebhookStatus(keyValues, 'audit')).rejects.toBe(away);
});
