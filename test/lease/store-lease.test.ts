import { expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import { createStoreLease } from '../../src/lease/store-lease.js';
import { createMemoryFence } from '../conformance/memory-fence.js';
import { never, SINCE } from './lease-rig.js';

it('does not touch the store if its own check refuses', async () => {
  const fence = createMemoryFence();
  const error = new SyncError('ERR_CONFIG', 'another log', { retriable: false });
  const self = () => ({ replica: 'a', host: 'a', since: SINCE, storeId: 's' });
  const lease = createStoreLease(fence, self, async () => error);
  expect(await lease.acquire(never)).toEqual({ kind: 'refused', error });
  expect(await fence.read()).toBeUndefined();
});
