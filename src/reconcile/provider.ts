import { causeOf } from '../apply/decision-drafts.js';
import type { Directory } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';
import { clientKey, formatKey, type Key } from '../model/key.js';
import type { Cause, Evidence, Job, Trigger } from '../model/trigger.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { JobResult } from '../queue/queue.js';
import { standingTriggers } from '../state/observe-consul.js';
import type { Touched } from '../state/touched.js';
import { isAclActive } from './acl/acl-state.js';
import { aclTriggersOf } from './acl/fleet-acl.js';
import { namelessLeft } from './acl/nameless-objects.js';
import type { ReconcilerDeps } from './deps.js';
import { countFailure } from './directory-failures.js';
import { evidenceOf, fanOut } from './fan-out.js';
import { holdTriggers } from './holds.js';
import { type LastRead, lastReadFact } from './last-read.js';
import { tellUnreadable } from './unreadable.js';

type DirectoryKey = Extract<Key, { kind: 'directory' }>;

/** The destinations that a client's change reaches, and what they are to be told. */
interface Reached {
  readonly clientId: string;
  readonly isNamed: boolean;
  readonly evidence: readonly Evidence[];
  readonly urgent: boolean;
  readonly at: readonly ServiceName[];
}

/** The complete comparison with a directory: read all, and send on what changed. An incomplete read changes nothing. */
export async function reconcileProvider(
  key: DirectoryKey,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<JobResult> {
  const directory = deps.directories.get(key.name);
  if (directory === undefined) {
    await tellUnreadable(key.name, causeOf(job), deps);
    return { kind: 'done' };
  }
  if (!job.triggers.some((trigger) => trigger.fullRead)) return { kind: 'done' };
  const { world, clock } = deps;
  const before = new Map(world.clients(key.name));
  const reached = destinationsBefore(key.name, [...before.values()], deps);

  const isFirst = !world.hasDirectory(key.name);

  const read = world.beginRead();
  const snapshot = await readAll(directory, deps, signal);
  const touched = world.putDirectory(key.name, snapshot.clients, read, clock.now(), snapshot.unreadable);
  const changed = touched.clients.flatMap(({ provider, clientId }) =>
    provider === key.name && (before.has(clientId) || world.client({ provider, clientId }) !== undefined)
      ? clientId
      : [],
  );
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
  const reaches = [...ids].map((clientId): Reached => {
    const id = { provider: key.name, clientId };
    const evidence = word.about(clientId);
    // A recheck comes long after the event: what it does not find changed has no haste.
    const urgent = (evidence.length > 0 && !isRecheck) || touched.losing.has(clientText(id));
    const at = [...(reached.get(clientId) ?? []), ...world.destinationsOf(id, clock.now())];
    return { clientId, isNamed: word.named.has(clientId), evidence, urgent, at };
  });
  // Who only gains may have logins to be made before an intention opens.
  const mayWait = ({ urgent, evidence }: Reached) => isAclActive(deps) && !urgent && evidence.length === 0;
  const first = reachTriggers(
    key.name,
    reaches.filter((reach) => !mayWait(reach)),
    job,
  );
  deps.queue.note(first);
  const opening = reaches.filter(mayWait).map(({ clientId }) => clientText({ provider: key.name, clientId }));
  for (const text of opening) deps.acl.opening.add(text);
  let aclFailure: unknown;
  try {
    await deps.queue.add([
      ...first,
      ...claimTriggers(touched, job, deps),
      // Holds of an earlier process whose reason is gone are about nothing that this read would show.
      ...(isFirst ? await holdTriggers(causeOf(job), deps) : []),
    ]);
    const said = {
      provider: key.name,
      clients: [...ids].map((clientId) => ({ provider: key.name, clientId })),
      isFirst,
      evidenceOf: ({ clientId }: ClientId) => word.about(clientId),
    };
    const ofAcl = await aclTriggersOf(said, deps, fullReadCause(job), signal).catch((error: unknown) => {
      aclFailure = error;
      return [];
    });
    // Their jobs send their destinations on once they may log in.
    const sendOn = new Set(ofAcl.map((trigger) => formatKey(trigger.key)));
    for (const text of opening) deps.acl.opening.delete(text);
    for (const { key: to } of ofAcl)
      if (to.kind === 'client')
        deps.acl.opening.add(clientText({ provider: to.provider, clientId: to.value }));
    const waiting = reaches.filter(
      (reach) => mayWait(reach) && !sendOn.has(formatKey(clientKey(key.name, reach.clientId))),
    );
    await deps.queue.add([...ofAcl, ...reachTriggers(key.name, waiting, job)]);
  } catch (error) {
    // The difference would be forgotten: make the directory unknown, so that the next read compares everything.
    world.forgetDirectory(key.name);
    for (const text of opening) deps.acl.opening.delete(text);
    throw error;
  }
  await tellUnreadable(key.name, causeOf(job), deps);
  // Whatever keeps ACL objects from being read kept no intention from being looked at.
  if (aclFailure !== undefined) throw aclFailure;
  // The comparison at the start came before this read and could not tell that nobody has them.
  if (isFirst && namelessLeft(deps).length > 0) deps.askForSweep();
  const { requests } = snapshot;
  const lastRead: LastRead = {
    at: new Date(clock.now()).toISOString(),
    clients: snapshot.clients.length,
    requests,
  };
  await deps.facts.set(lastReadFact(key.name), JSON.stringify(lastRead));
  deps.logger.info(
    {
      provider: key.name,
      clients: lastRead.clients,
      unreadable: snapshot.unreadable.length,
      changed: changed.length,
      requests,
    },
    'directory read completely',
  );
  return { kind: 'done' };
}

/** Each destination once for all that is told it alike. */
function reachTriggers(provider: string, reaches: readonly Reached[], job: Job): readonly Trigger[] {
  const groups = new Map<string, Reached[]>();
  for (const reach of reaches) {
    const alike = JSON.stringify([reach.urgent, reach.isNamed && reach.clientId]);
    const known = groups.get(alike);
    if (known === undefined) groups.set(alike, [reach]);
    else known.push(reach);
  }
  return [...groups.values()].flatMap((group) => {
    const [one] = group;
    if (one === undefined) return [];
    return fanOut(
      group.flatMap(({ at }) => at),
      job,
      one.evidence,
      one.urgent,
      one.isNamed ? { provider, clientId: one.clientId } : undefined,
    );
  });
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
function claimTriggers(touched: Touched, job: Job, deps: ReconcilerDeps): readonly Trigger[] {
  return standingTriggers(deps.world, touched, fullReadCause(job)).filter(({ key }) => key.kind === 'client');
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
