import { expect, it } from 'vitest';
import { readWebhookStatus } from '../../src/cli/webhook-status.js';
import { SyncError } from '../../src/errors.js';
import { createFacts } from '../support/worker-facts.js';

it('shows a webhook whose values in the store cannot be read, so that the others can be seen still', async () => {
  for (const [key, value] of [
    ['state', 'no JSON'],
    ['dead', '[{}]'],
  ] as const) {
    const keyValues = createFacts();
    await keyValues.set(`webhook/audit/${key}`, value);
    expect(await readWebhookStatus(keyValues, 'audit')).toMatchObject({ name: 'audit', state: 'unreadable' });
  }
});

it('does not hide that the store is away', async () => {
  const away = new SyncError('ERR_QUEUE_UNREACHABLE', 'away', { retriable: true });
  const keyValues = { ...createFacts(), get: () => Promise.reject(away) };
  await expect(readWebhookStatus(keyValues, 'audit')).rejects.toBe(away);
});
