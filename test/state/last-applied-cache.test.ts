import { expect, it } from 'vitest';
import { LastAppliedCache } from '../../src/state/last-applied-cache.js';

it('the records of jobs are shown without the rulings of people and without objects that no job removes', () => {
  const cache = new LastAppliedCache();
  const orders = 'destination/default/default/orders';
  for (const key of [orders, 'client/main/web-app', 'ruling/payments', 'acl/payments'])
    cache.put(key, new Map([['subject', 'text']]));
  expect(cache.ofJobs()).toEqual({
    [orders]: { subject: 'text' },
    'client/main/web-app': { subject: 'text' },
  });
  expect(cache.areKnown).toBe(false);
  cache.setUnrecorded(undefined);
  expect(cache.areKnown).toBe(true);
});
