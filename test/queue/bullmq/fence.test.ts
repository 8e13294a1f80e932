import { expect, it } from 'vitest';
import { BullmqFence } from '../../../src/queue/bullmq/fence.js';
import type { RedisLink } from '../../../src/queue/bullmq/redis-link.js';

const NAME = `scopemesh:${Buffer.from('jobs').toString('base64')}`;
const client = (idle: string, name = NAME) =>
  `id=7 addr=10.0.0.1:4711 name=${name} age=900${idle} flags=b db=0`;

/** Whether a release before the lease is at work beside these clients of Redis. */
const isBypassed = (clients: readonly string[]) => {
  const redis = { client: async () => clients.join('\n') };
  const link = { prefix: 'scopemesh', call: (use: (of: typeof redis) => unknown) => use(redis) };
  return new BullmqFence(link as unknown as RedisLink).isBypassed();
};

it('takes a worker of a former release for alive as long as Redis lists it, as one with enough to do is silent', async () => {
  expect(await isBypassed([client(' idle=9')])).toBe(true);
  expect(await isBypassed([client(' idle=900')])).toBe(true);
  expect(await isBypassed([client('')])).toBe(true);
  expect(await isBypassed([client(' idle=9', 'other')])).toBe(false);
  expect(await isBypassed([])).toBe(false);
});
