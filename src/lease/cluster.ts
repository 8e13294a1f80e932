import type { ClusterId } from '../consul/consul.js';
import type { SyncError } from '../errors.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import { otherCluster } from './refusals.js';

const NAME = 'cluster';

/**
 * Binds a store to a Consul cluster, by a random ID in both. A Consul that lost the ID gets it again from the store. Resolves
 * with the reason why the two do not belong together.
 */
export async function checkCluster(
  clusterId: ClusterId,
  keyValues: Pick<KeyValueStore, 'get' | 'replace'>,
  newId: () => string,
  signal: AbortSignal,
): Promise<SyncError | undefined> {
  const known = await keyValues.get(NAME);
  const found = (await clusterId.read(signal)) ?? (await clusterId.create(known ?? newId(), signal));
  if (known === undefined && (await keyValues.replace(NAME, undefined, found))) return undefined;
  return (known ?? (await keyValues.get(NAME))) === found ? undefined : otherCluster();
}
