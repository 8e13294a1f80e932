import type { OAuthClient } from '../model/client.js';
import type { Key } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import type { JobResult } from '../queue/queue.js';
import type { ReconcilerDeps } from './deps.js';
import { evidenceOf, fanOut } from './fan-out.js';

type ProviderKey = Extract<Key, { kind: 'provider' }>;

/** The complete comparison with a directory: read all, and send on what changed. An incomplete read changes nothing. */
export async function reconcileProvider(
  key: ProviderKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const directory = deps.directories.get(key.name);
  if (directory === undefined || !job.triggers.some((trigger) => trigger.fullRead)) return { kind: 'done' };
  const { world, clock } = deps;
  const before = new Map(world.clients(key.name).map((client) => [client.clientId, client]));
  const reached = destinationsBefore(key.name, [...before.values()], deps);

  const read = world.beginRead();
  const snapshot = await directory.readAll(signal);
  const changed = world.putDirectory(key.name, snapshot.clients, read, clock.now());
  deps.metrics.gauge('scopemesh_directory_clients', snapshot.clients.length, { provider: key.name });
  deps.metrics.gauge('scopemesh_directory_age_seconds', 0, { provider: key.name });
  for (const { clientId } of snapshot.clients) {
    const id = { provider: key.name, clientId };
    if (world.closure(id) === 'RevocationUnconfirmed') world.setClosure(id, undefined);
  }

  // With evidence about a scope every destination is looked at: the scope may have been lost before the last read.
  const named = evidenceOf(job);
  const ids = named.length > 0 ? [...new Set([...before.keys(), ...changed])] : changed;
  const destinations = ids.flatMap((clientId) => [
    ...(reached.get(clientId) ?? []),
    ...world.destinationsOf({ provider: key.name, clientId }, clock.now()),
  ]);
  try {
    await deps.queue.add(fanOut(destinations, job, named, false));
  } catch (error) {
    // The difference would be forgotten: make the directory unknown, so that the next read compares everything.
    world.forgetDirectory(key.name);
    throw error;
  }
  deps.logger.info(
    {
      provider: key.name,
      clients: snapshot.clients.length,
      changed: changed.length,
      requests: snapshot.requests,
    },
    'directory read completely',
  );
  return { kind: 'done' };
}

function destinationsBefore(provider: string, clients: readonly OAuthClient[], deps: ReconcilerDeps) {
  const now = deps.clock.now();
  return new Map(
    clients.map(({ clientId }) => [clientId, deps.world.destinationsOf({ provider, clientId }, now)]),
  );
}
