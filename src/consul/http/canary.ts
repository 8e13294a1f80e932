import type { Canary } from '../consul.js';
import { parseVerdict } from './answer.js';
import type { ConsulClient } from './consul-client.js';
import { putKey } from './kv-key.js';
import { ownerKey } from './kv-keys.js';

/** The KV key `scopemesh/<owner>/canary`. */
export function createCanary(client: ConsulClient, owner: string): Canary {
  const operation = 'canary.write';
  return {
    async write(value, signal) {
      const { answer } = await putKey(client, ownerKey(owner, 'canary'), value, { operation, signal });
      parseVerdict(answer, operation);
    },
  };
}
