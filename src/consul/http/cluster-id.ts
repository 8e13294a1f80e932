import type { ClusterId } from '../consul.js';
import { incomplete } from '../reader.js';
import { parseVerdict } from './answer.js';
import { readKey, toValueText } from './kv-key.js';
import { ownerKey, toKvPath } from './kv-keys.js';
import { type Tenancy, toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';

/** At `scopemesh/<owner>/cluster` in KV. */
export function createClusterId(transport: Transport, tenancy: Tenancy, owner: string): ClusterId {
  const key = ownerKey(owner, 'cluster');
  const self: ClusterId = {
    async read(signal) {
      const pair = await readKey(transport, tenancy, 'cluster.read', key, signal);
      return pair && toValueText(pair.Value);
    },
    async create(id, signal) {
      const operation = 'cluster.write';
      const query = { ...toTenancyQuery(tenancy), cas: '0' };
      const request = { operation, method: 'PUT', path: toKvPath(key), query, body: id } as const;
      parseVerdict(await transport.send(request, signal), operation);
      const found = await self.read(signal);
      if (found === undefined) throw incomplete(operation, 'the key was deleted at this moment');
      return found;
    },
  };
  return self;
}
