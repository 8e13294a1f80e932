import { expect, it } from 'vitest';
import { checkCluster } from '../../src/lease/cluster.js';
import { never } from './lease-rig.js';

/** A store that another replica binds right after this one has read it. */
function boundMeanwhile(to: string) {
  let value: string | undefined;
  return {
    get: async () => value,
    async replace() {
      value = to;
      return false;
    },
  };
}

it('two replicas that bind one store at once agree if they found the same cluster, and only then', async () => {
  const clusterId = { read: async () => 'a', create: async () => 'a' };
  const check = (to: string) => checkCluster(clusterId, boundMeanwhile(to), () => 'new', never);
  expect(await check('a')).toBeUndefined();
  expect(await check('b')).toMatchObject({
    code: 'ERR_CONFIG',
    retriable: false,
    message: expect.stringMatching(/another Consul cluster.*Correct consul\.address.*delete that key in KV/),
  });
});
