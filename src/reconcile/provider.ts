import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';
import { formatKey, type Key } from '../model/key.js';
import type { Cause, Evidence, Job, Trigger } from '../model/trigger.js';
import type { ClaimStanding } from '../plan/claims.js';
import type { JobResult } from '../queue/queue.js';
import { aclTriggers } from './acl/fleet-acl.js';
import { causeOf } from './decide.js';
import type { ReconcilerDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { evidenceOf, fanOut, lostSomething } from './fan-out.js';
import { holdTriggers } from './holds.js';
import { type LastRead, lastReadFact } from './last-read.js';
import { standingTriggers } from './observe-consul.js';

type ProviderKey = Extract<Key, { kind: 'provider' }>;

/** Destinations that are told the same. */
interface Group {
  readonly evidence: readonly Evidence[];
  readonly urgent: boolean;
  readonly at: ServiceName[];
}

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
  deps.metrics.gauge('scopemesh_directory_read_requests', snapshot.requests, { provider: key.name });
  const reopened = snapshot.clients
    .map(({ clientId }) => clientId)
    .filter((clientId) => world.closure({ provider: key.name, clientId }) === 'RevocationUnconfirmed');
  for (const clientId of reopened) world.setClosure({ provider: key.name, clientId }, undefined);

  const word = wordOf(key.name, evidenceOf(job), [...before.values(), ...snapshot.clients]);
  // With evidence about a scope every destination is looked at: the scope may have been lost before the last read.
  const ids = new Set([
    ...(word.ofAll.length > 0 ? before.keys() : []),
    ...word.named,
    ...changed,
    ...reopened,
  ]);
  const isRecheck = job.triggers.every((trigger) => trigger.isRecheck);
  const groups = new Map<string, Group>();
  for (const clientId of ids) {
    const id = { provider: key.name, clientId };
    const isNamed = word.named.has(clientId);
    const evidence = word.about(clientId);
    // A recheck comes long after the event: what it does not find changed has no haste.
    const urgent =
      (evidence.length > 0 && !isRecheck) || lostSomething(before.get(clientId), world.client(id));
    const group = JSON.stringify([urgent, isNamed && clientId]);
    const at = groups.get(group)?.at ?? [];
    groups.set(group, { evidence, urgent, at });
    at.push(...(reached.get(clientId) ?? []), ...world.destinationsOf(id, clock.now()));
  }
  const triggers = [...groups.values()].flatMap(({ at, evidence, urgent }) =>
    fanOut(at, job, evidence, urgent),
  );
  world.told.note(triggers, (trigger) => formatKey(trigger.key));
  try {
    await deps.queue.add([
      ...triggers,
      ...claimTriggers(standings, job, deps),
      // Holds of an earlier process whose reason is gone are about nothing that this read would show.
      ...(isFirst ? await holdTriggers(causeOf(job), deps) : []),
    ]);
  } catch (error) {
    // The difference would be forgotten: make the directory unknown, so that the next read compares everything.
    world.forgetDirectory(key.name);
    throw error;
  }
  // After the edges: whatever keeps ACL objects from being read keeps no intention from being narrowed.
  await deps.queue.add(
    await aclTriggers(deps, fullReadCause(job), signal, {
      provider: key.name,
      former: [...before.keys()].map((clientId) => ({ provider: key.name, clientId })),
      evidenceOf: ({ clientId }) => word.about(clientId),
    }),
  );
  const { requests } = snapshot;
  const lastRead: LastRead = {
    at: new Date(clock.now()).toISOString(),
    clients: snapshot.clients.length,
    requests,
  };
  await deps.facts.set(lastReadFact(key.name), JSON.stringify(lastRead));
  deps.logger.info(
    { provider: key.name, clients: lastRead.clients, changed: changed.length, requests },
    'directory read completely',
  );
  return { kind: 'done' };
}

/**
 * Word of a scope concerns everybody; word of a client that client alone, so that a comparison for ten thousand events
 * does not send all of them to every destination.
 */
function wordOf(
  provider: string,
  evidence: readonly Evidence[],
  clients: readonly OAuthClient[],
): {
  readonly ofAll: readonly Evidence[];
  readonly named: ReadonlySet<string>;
  /** All that was told of one client. */
  readonly about: (clientId: string) => readonly Evidence[];
} {
  const ids = new Set(evidence.flatMap(({ internalIds = [] }) => internalIds));
  const found = clients.filter(({ internalId }) => internalId !== undefined && ids.has(internalId));
  const ofAll = evidence.filter(({ scopes = [] }) => scopes.length > 0);
  const named = new Set([
    ...evidence.flatMap(({ clients: each = [] }) => each),
    ...found.map(({ clientId }) => clientId),
  ]);
  const about = (clientId: string) =>
    named.has(clientId) ? [...ofAll, { provider, clients: [clientId] }] : ofAll;
  return { ofAll, named, about };
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
