import { expect, it } from 'vitest';
import { readWebhookStatus } from '../../src/app/webhook-status.js';
import { WebhookStore } from '../../src/decisions/webhook-state.js';
import { SyncError } from '../../src/errors.js';
import { createFacts } from '../support/worker-facts.js';

it('shows a webhook whose values in the store cannot be read, so that the others can be seen still', async () => {
  for (const [key, value] of [
    ['state', 'no JSON'],
    ['dead', '[{}]'],
  ] as const) {
    const keyValues = createFacts();
    await keyValues.set(`webhook/audit/${key}`, value);
    // The process that delivers finds it.
    await expect(new WebhookStore(keyValues, 'audit').count()).rejects.toThrow();
    expect(await readWebhookStatus(keyValues, 'audit')).toMatchObject({ name: 'audit', state: 'unreadable' });
  }
});

it('lists dead letters without reading their events', async () => {
  const keyValues = createFacts();
  const store = new WebhookStore(keyValues, 'audit');
  const letter = { id: 'a', type: 't', at: '2026-01-01T00:00:00Z', attempts: 3, error: 'answered 400' };
  await store.bury({ ...letter, event: 'x'.repeat(1_000_000) });
  const read: number[] = [];
  const get = async (name: string) => {
    const value = await keyValues.get(name);
    read.push(value?.length ?? 0);
    return value;
  };
  const status = () => readWebhookStatus({ ...keyValues, get }, 'audit');
  expect(await status()).toMatchObject({ deadLetters: [letter] });
  expect(Math.max(...read)).toBeLessThan(1_000);
  await store.forget('a');
  expect(await status()).toMatchObject({ deadLetters: [] });
});

it('does not hide that the store is away', async () => {
  const away = new SyncError('ERR_QUEUE_UNREACHABLE', 'away', { retriable: true });
  const keyValues = { ...createFacts(), get: () => Promise.reject(away) };
  await expect(readWebhookStatus(keyValues, 'audit')).rejects.toBe(away);
});
