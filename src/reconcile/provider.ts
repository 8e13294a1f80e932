import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';
import { formatKey, type Key } from '../model/key.js';
import type { Cause, Job, Trigger } from '../model/trigger.js';
import type { ClaimStanding } from '../plan/claims.js';
import type { JobResult } from '../queue/queue.js';
import { aclTriggers } from './acl/fleet-acl.js';
import { causeOf } from './decide.js';
import type { ReconcilerDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { evidenceOf, fanOut, lostSomething } from './fan-out.js';
import { holdTriggers } from './holds.js';
import { standingTriggers } from './observe-consul.js';

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

  const standings = world.standings(clock.now());
  const isFirst = !world.hasDirectory(key.name);

  const read = world.beginRead();
  const snapshot = await readAll(directory, deps, signal);
  const changed = world.putDirectory(key.name, snapshot.clients, read, clock.now());
  deps.metrics.gauge('scopemesh_directory_clients', snapshot.clients.length, { provider: key.name });
  deps.metrics.gauge('scopemesh_directory_age_seconds', 0, { provider: key.name });
  const reopened = snapshot.clients
    .map(({ clientId }) => clientId)
    .filter((clientId) => world.closure({ provider: key.name, clientId }) === 'RevocationUnconfirmed');
  for (const clientId of reopened) world.setClosure({ provider: key.name, clientId }, undefined);

  // With evidence about a scope every destination is looked at: the scope may have been lost before the last read.
  const named = evidenceOf(job);
  const ids = new Set([...(named.length > 0 ? before.keys() : []), ...changed, ...reopened]);
  const losing: ServiceName[] = [];
  const others: ServiceName[] = [];
  for (const clientId of ids) {
    const id = { provider: key.name, clientId };
    const loses = named.length > 0 || lostSomething(before.get(clientId), world.client(id));
    const list = loses ? losing : others;
    list.push(...(reached.get(clientId) ?? []), ...world.destinationsOf(id, clock.now()));
  }
  const triggers = [...fanOut(losing, job, named, true), ...fanOut(others, job, named, false)];
  world.told.note(triggers, (trigger) => formatKey(trigger.key));
  try {
    await deps.queue.add([
      ...triggers,
      ...claimTriggers(standings, job, deps),
      ...(await aclTriggers(deps, fullReadCause(job), signal, {
        provider: key.name,
        evidence: evidenceOf(job),
      })),
      // Holds of an earlier process whose reason is gone are about nothing that this read would show.
      ...(isFirst ? await holdTriggers(causeOf(job), deps) : []),
    ]);
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

/** For clients' jobs, which need not read again what was just read. */
function fullReadCause(job: Job): Cause {
  return { ...causeOf(job), kind: 'full-read' };
}

/** The clients whose claims are worth something else now: their jobs make the records and tell the holds. */
function claimTriggers(
  before: ReadonlyMap<string, ClaimStanding>,
  job: Job,
  deps: ReconcilerDeps,
): readonly Trigger[] {
  return standingTriggers(deps.world, before, deps.clock.now(), fullReadCause(job)).filter(
    ({ key }) => key.kind === 'client',
  );
}

async function readAll(directory: Directory, deps: ReconcilerDeps, signal: AbortSignal) {
  try {
    return await directory.readAll(signal);
  } catch (error) {
    countFailure(directory.provider, error, deps);
    throw error;
  }
}

function destinationsBefore(provider: string, clients: readonly OAuthClient[], deps: ReconcilerDeps) {
  const now = deps.clock.now();
  return new Map(
    clients.map(({ clientId }) => [clientId, deps.world.destinationsOf({ provider, clientId }, now)]),
  );
}
