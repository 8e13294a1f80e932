import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../config/config.js';
import { isoInstant } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import type { SyncError } from '../errors.js';
import { checkCluster } from '../lease/cluster.js';
import { ConsulLease } from '../lease/consul-lease.js';
import type { Lease } from '../lease/lease.js';
import { readFormer } from '../lease/mapping-in-force.js';
import { observesOnly, otherLog } from '../lease/refusals.js';
import { createStoreLease } from '../lease/store-lease.js';
import { makeStateDirectory } from '../make-directory.js';
import { definedFields } from '../model/defined-fields.js';
import type { OwnMapping } from '../model/replica.js';
import { policyOf } from '../plan/mode.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import type { Store } from '../queue/store-parts.js';
import type { Runtime } from '../runtime.js';

const STORE_NAME = 'store';
const LOG_NAME = 'decision-log';

/** Names this process among the replicas. */
export function replicaName(): string {
  return `${hostname()}/${process.pid}`;
}

/** Makes the leases of this process, one for `observe` and one for the other modes. `address`: of its API, if it has one. */
export async function createLeases(
  config: Config,
  { consul, store }: { readonly consul: Consul; readonly store: Store },
  { clock }: Pick<Runtime, 'clock'>,
  address: () => string | undefined,
  mapping?: () => OwnMapping,
): Promise<(mode: Config['mode']) => Lease> {
  const host = hostname();
  const { fence, keyValues } = store;
  await keyValues.replace(STORE_NAME, undefined, randomUUID());
  const id = (await keyValues.get(STORE_NAME)) ?? '';
  const storeId = config.queue.kind === 'embedded' ? `${id}@${placeOf(host, config)}` : id;
  const self = () => ({
    replica: replicaName(),
    host,
    since: isoInstant(clock),
    storeId,
    ...definedFields({ address: address() }),
  });
  const checkStore = async (): Promise<SyncError | undefined> => {
    // A Redis that lost it gets it again, so that the next process is no stranger.
    if (id !== '') await keyValues.replace(STORE_NAME, undefined, id);
    return checkLog(config, keyValues);
  };
  const check = async (signal: AbortSignal): Promise<SyncError | undefined> =>
    (await checkStore()) ?? (await checkCluster(consul.clusterId, keyValues, randomUUID, signal));
  // A leader in `observe` revokes nothing.
  const checkObserver = async (): Promise<SyncError | undefined> => {
    const fault = await checkStore();
    if (fault !== undefined || mapping === undefined) return fault;
    if (await readFormer(replicaName(), mapping(), store)) throw observesOnly();
    return undefined;
  };
  // One of each: it knows what earlier attempts saw.
  const inStore = createStoreLease(fence, self, checkObserver);
  const inConsul = new ConsulLease({
    lock: consul.lock,
    fence,
    self,
    check,
    clock,
    ttlSeconds: config.leaseTtlMs / 1000,
  });
  return (mode) => (policyOf({ mode }).writes ? inConsul : inStore);
}

/** A state directory also has its place: a copy of it is another store, whose process knows nothing of the first one. */
function placeOf(host: string, config: Config): string {
  const place = `${host}:${realpathSync(config.state.directory)}`;
  return createHash('sha256').update(place).digest('hex').slice(0, 16);
}

/** An embedded log belongs to one state directory; replicas on one Redis would split it. */
async function checkLog(config: Config, keyValues: KeyValueStore): Promise<SyncError | undefined> {
  if (config.queue.kind === 'embedded' || config.decisions.kind !== 'embedded') return undefined;
  const id = logId(config.state.directory);
  await keyValues.replace(LOG_NAME, undefined, id);
  return (await keyValues.get(LOG_NAME)) === id ? undefined : otherLog();
}

function logId(directory: string): string {
  makeStateDirectory(directory);
  const path = join(directory, 'log-id');
  try {
    writeFileSync(path, randomUUID(), { mode: 0o600, flag: 'wx' });
  } catch {
    // It exists, or reading it fails with the reason.
  }
  return readFileSync(path, 'utf8');
}
