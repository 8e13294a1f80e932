import type { ClusterId } from '../consul.js';
import { incomplete } from '../reader.js';
import { parseVerdict } from './answer.js';
import type { ConsulClient } from './consul-client.js';
import { putKey, readKey, toValueText } from './kv-key.js';
import { ownerKey } from './kv-keys.js';

/** At `scopemesh/<owner>/cluster` in KV. */
export function createClusterId(client: ConsulClient, owner: string): ClusterId {
  const key = ownerKey(owner, 'cluster');
  const self: ClusterId = {
    async read(signal) {
      const pair = await readKey(client, key, { operation: 'cluster.read', signal });
      return pair && toValueText(pair.Value);
    },
    async create(id, signal) {
      const operation = 'cluster.write';
      const { answer } = await putKey(client, key, id, { operation, signal, cas: 0 });
      parseVerdict(answer, operation);
      const found = await self.read(signal);
      if (found === undefined) throw incomplete(operation, 'the key was deleted at this moment');
      return found;
    },
  };
  return self;
}
