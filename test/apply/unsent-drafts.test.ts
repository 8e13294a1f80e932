import { expect, test, vi } from 'vitest';
import { withUnsentDrafts } from '../../src/apply/unsent-drafts.js';

const KEY = 'destination/default/default/orders';

test('drafts that are left unsent end without a decision', async () => {
  const record = vi.fn(async () => {});
  const result = await withUnsentDrafts(KEY, { record }, async (unsent) => {
    unsent.ids = ['a', 'b'];
    return 'done';
  });
  expect(result).toBe('done');
  expect(record.mock.calls).toEqual([[KEY, [], ['a', 'b']]]);
});

test('nothing is recorded if no draft is left', async () => {
  const record = vi.fn(async () => {});
  await withUnsentDrafts(KEY, { record }, async (unsent) => {
    unsent.ids = ['a'];
    unsent.ids = [];
  });
  await withUnsentDrafts(KEY, { record }, async () => {});
  expect(record).not.toHaveBeenCalled();
});

test('drafts that a failure leaves end too, and the failure is thrown even if the journal fails', async () => {
  const record = vi.fn(async () => Promise.reject(new Error('the journal is down')));
  const work = withUnsentDrafts(KEY, { record }, async (unsent) => {
    unsent.ids = ['a'];
    throw new Error('Consul is down');
  });
  await expect(work).rejects.toThrow('Consul is down');
  expect(record).toHaveBeenCalledTimes(1);
});
