import type { Canary } from '../consul.js';
import { parseVerdict } from './answer.js';
import { ownerKey, toKvPath } from './kv-keys.js';
import { type Tenancy, toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';

/** The KV key `scopemesh/<owner>/canary`. */
export function createCanary(transport: Transport, tenancy: Tenancy, owner: string): Canary {
  const operation = 'canary.write';
  return {
    async write(value, signal) {
      const path = toKvPath(ownerKey(owner, 'canary'));
      const query = toTenancyQuery(tenancy);
      parseVerdict(
        await transport.send({ operation, method: 'PUT', path, query, body: value }, signal),
        operation,
      );
    },
  };
}
