import { ClientUnreadable } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import { clientKey, type Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import { hasOrder, proofOf } from '../plan/client-job.js';
import type { ClientId } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import type { ClientDeps } from './deps.js';
import { countFailure } from './directory-failures.js';

/** Finds the client ID of a client that is named by another ID, and queues the client's own key. */
export async function resolveReference(
  key: Extract<Key, { kind: 'client' }>,
  job: Job,
  directory: Directory,
  deps: Pick<ClientDeps, 'world' | 'queue' | 'metrics'>,
  signal: AbortSignal,
): Promise<JobResult> {
  const cached =
    key.by === 'internalId' ? deps.world.directories.clientIdOf(key.provider, key.value) : undefined;
  const read = async () => {
    try {
      return (await directory.read(key.by, key.value, signal, proofOf(job)))?.clientId;
    } catch (error) {
      countFailure(key.provider, error, deps);
      // The client's own key reports it. If the record's client is unknown, only an order is tried again.
      if (error instanceof ClientUnreadable && (error.clientId !== undefined || !hasOrder(job)))
        return error.clientId;
      throw error;
    }
  };
  const clientId = cached ?? (await read());
  // Unknown to the identity provider and to scopemesh: it was created and deleted between two reads, and never had access.
  if (clientId === undefined) return { kind: 'done' };
  await deps.queue.add(
    job.triggers.map((trigger) => ({ ...trigger, key: clientKey(key.provider, clientId) })),
  );
  return { kind: 'done' };
}

/** A client that is gone under its client ID may have another one now, which its internal ID finds. */
export async function followRename(
  id: ClientId,
  known: OAuthClient | undefined,
  job: Job,
  deps: Pick<ClientDeps, 'world' | 'queue' | 'metrics'>,
): Promise<void> {
  if (known?.internalId === undefined || deps.world.client(id) !== undefined) return;
  const key: Key = { kind: 'client', provider: id.provider, by: 'internalId', value: known.internalId };
  await deps.queue.add(job.triggers.map((trigger) => ({ ...trigger, key })));
}
