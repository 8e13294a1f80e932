import { expect, it } from 'vitest';
import { BullmqFence } from '../../src/queue/bullmq/fence.js';
import type { RedisLink } from '../../src/queue/bullmq/redis-link.js';

const NAME = `scopemesh:${Buffer.from('jobs').toString('base64')}`;
const client = (idle: string, name = NAME) =>
  `id=7 addr=10.0.0.1:4711 name=${name} age=900${idle} flags=b db=0`;

/** Whether a release before the lease is at work beside these clients of Redis. */
const isBypassed = (clients: readonly string[], hasJobs = false) => {
  const redis = { client: async () => clients.join('\n') };
  const link = {
    prefix: 'scopemesh',
    call: (use: (of: typeof redis) => unknown) => use(redis),
    run: async () => (hasJobs ? 1 : 0),
  };
  return new BullmqFence(link as unknown as RedisLink).isBypassed();
};

it('takes a worker of a former release that is silent for more than a minute for dead, unless its jobs are locked', async () => {
  expect(await isBypassed([client(' idle=9')])).toBe(true);
  expect(await isBypassed([client(' idle=61')])).toBe(false);
  expect(await isBypassed([client(' idle=61'), client(' idle=9')])).toBe(true);
  expect(await isBypassed([client(' idle=61')], true)).toBe(true);
  expect(await isBypassed([client('')])).toBe(true);
  expect(await isBypassed([client(' idle=9', 'other')], true)).toBe(false);
});
