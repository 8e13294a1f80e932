import { setImmediate } from 'node:timers/promises';
import type { Trail } from '../decisions/trail.js';
import { configError, type SyncError } from '../errors.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { ClaimStatus } from '../plan/claim-status.js';
import { isOwnedNow } from '../plan/edge-record.js';
import { isOwned } from '../plan/ownership.js';
import { intentionSubject } from '../plan/plan.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import type { WorldState } from '../state/world-state.js';
import { indexLimits, nowIn } from '../trail/answer.js';
import { type BlastRadius, blastRadius, type ReachEdge } from '../trail/blast-radius.js';
import { isPossiblyOpen } from '../trail/edge.js';
import { type Mesh, meshEdges } from '../trail/mesh-edges.js';
import { readEdges, readSubjectState } from '../trail/read-subject-state.js';
import { isThere } from '../trail/subject-state.js';
import { readingsOf, whatCan } from '../trail/what-can.js';
import { onlyClient } from './client-id.js';

export interface BlastView extends BlastRadius {
  readonly name: string;
  /** ISO 8601 in UTC. */
  readonly at: string;
  readonly client?: ClientId;
  /** Whether Consul itself was read, with what scopemesh does not own, or the decision log alone. */
  readonly from: 'consul' | 'trail';
  readonly unknown: readonly string[];
}

const ENTRIES_IN_ONE_TURN = 100;

const HTTP_ONLY =
  'A hop counts whatever its methods and paths are, and whether the services have an upstream for it.';

const SELECTED =
  'This instance reads only what select covers: what is open to other destinations is not in this answer.';

const NOT_CITED = 'The local index is behind, so no decisions are cited.';

/** What a question about the present needs of the world: plain values, which another thread can read. */
export interface MeshNow extends Mesh {
  readonly name: string;
  readonly starts: readonly ServiceName[];
  readonly protectedServices: readonly string[];
  readonly isSelected: boolean;
  /** Subjects of sources with the mark and without a record: everybody who may write an intention can write the mark. */
  readonly forged: ReadonlySet<string>;
}

/** What Consul has at the call. It gives way to other work, because a mesh may be large. */
export async function meshNow(name: string, world: WorldState, now: number): Promise<MeshNow> {
  const { owner, protectedServices, select } = world.mapping;
  const entries = new Map(world.entries);
  const forged = new Set<string>();
  const mesh = {
    ...startsNow(name, world, now),
    name,
    owner,
    entries,
    services: (world.catalog?.services ?? []).map((each) => each.name),
    protectedServices,
    isSelected: select !== undefined,
    forged,
  };
  let left = ENTRIES_IN_ONE_TURN;
  for (const entry of entries.values()) {
    for (const subject of forgedIn(entry, world)) forged.add(subject);
    if (--left > 0) continue;
    left = ENTRIES_IN_ONE_TURN;
    await setImmediate();
  }
  return mesh;
}

function forgedIn(
  { destination, sources }: IntentionEntry,
  { records, mapping }: WorldState,
): readonly string[] {
  const known = records.recordsOf(destination);
  return sources
    .filter((source) => isOwned(mapping.owner, source) && !isOwnedNow(destination, source, known))
    .map(({ name }) => intentionSubject(destination, name));
}

/** What could be reached now, by what Consul has. `trail` cites the decisions. */
export async function blastNow(mesh: MeshNow, trail: Trail | undefined, now: number): Promise<BlastView> {
  const { name, client, starts, protectedServices } = mesh;
  const [first] = starts;
  if (first === undefined) throw noSuchName(name);
  const clock = new Date(now).toISOString();
  const at = trail === undefined ? clock : await nowIn(trail, clock);
  const extent = await trail?.extent();
  const isBehind = extent?.index?.isBehind === true;
  const edgesFrom = meshEdges(mesh);
  const judged = async (edge: ReachEdge): Promise<ReachEdge> => {
    if (edge.writer === 'foreign') return edge;
    const subject = intentionSubject({ ...first, name: edge.destination }, edge.source);
    const forged = { ...edge, writer: 'foreign', endsAtQuarantine: false } as const;
    if (mesh.forged.has(subject)) return forged;
    // An index that is behind has older decisions, which did not open what is there now.
    if (trail === undefined || isBehind) return edge;
    const state = await readSubjectState(trail, subject, at);
    if (state === undefined || !isThere(state, state.content)) return forged;
    return { ...edge, decisionId: state.decision.id };
  };
  const names = starts.map((each) => each.name);
  const isStart = new Set(names);
  const radius = await blastRadius(
    names,
    async (source) => {
      const edges = edgesFrom({ ...first, name: source });
      return isStart.has(source) ? Promise.all(edges.map(judged)) : edges;
    },
    protectedServices,
  );
  // The log does not change which way the other edges lead, so it is asked only about edges that the answer shows.
  const reached: (typeof radius.reached)[number][] = [];
  for (const each of radius.reached)
    reached.push(isStart.has(each.edge.source) ? each : { ...each, edge: await judged(each.edge) });
  return {
    name,
    at,
    from: 'consul',
    ...(client === undefined ? {} : { client }),
    ...radius,
    reached,
    unknown: [
      HTTP_ONLY,
      ...(mesh.isSelected ? [SELECTED] : []),
      ...(extent === undefined ? [] : indexLimits(extent)),
      ...(isBehind ? [NOT_CITED] : []),
    ],
  };
}

/** What could be reached at an instant, by the decision log alone. */
export async function blastAt(
  name: string,
  protectedServices: readonly string[],
  trail: Trail,
  at: string,
): Promise<BlastView> {
  const { found, unknown } = await whatCan(trail, name, at);
  const sources = found.flatMap(({ kind, edges }) =>
    kind === 'service' ? [name] : edges.map(({ source }) => source),
  );
  const starts = [...new Set(sources)];
  if (found.length === 0) throw noSuchName(name);
  const clientsOf = (all: typeof found) =>
    all.flatMap(({ edges }) => edges.flatMap((edge) => edge.client ?? []));
  const client = onlyClient(clientsOf(found.filter(({ kind }) => kind === 'client'))) ?? clientsOf(found)[0];
  const edgesFrom = async (source: string) => {
    const edges: ReachEdge[] = [];
    for await (const edge of readEdges(trail, { kind: 'source', name: source }, at)) {
      if (!isPossiblyOpen(edge)) continue;
      edges.push({
        source,
        destination: edge.destination,
        access: edge.access ?? { kind: 'other' },
        writer: 'scopemesh',
        endsAtQuarantine:
          client !== undefined && edge.client !== undefined && clientText(edge.client) === clientText(client),
        decisionId: edge.decision.id,
      });
    }
    return edges;
  };
  return {
    name,
    at,
    from: 'trail',
    ...(client === undefined ? {} : { client: { provider: client.provider, clientId: client.clientId } }),
    ...(await blastRadius(starts, edgesFrom, protectedServices)),
    unknown: [...unknown, HTTP_ONLY],
  };
}

/**
 * The services of a client, by their claims that may count and by the edges it has, and a service of the same name; or the
 * service itself with the client it claims.
 */
function startsNow(
  name: string,
  world: WorldState,
  now: number,
): { readonly client: ClientId | undefined; readonly starts: readonly ServiceName[] } {
  // A claim that does not count may still have edges, whose removal is held.
  const mayCount = ({ kind, client, service }: Exclude<ClaimStatus, { kind: 'none' }>) =>
    kind !== 'refused' || hasEdge(client, service, world);
  const claims = [...world.claimStatuses(now).values()].flatMap((claim) =>
    claim.kind === 'none' || !mayCount(claim) ? [] : [claim],
  );
  const serviceName = world.catalog?.services.find((each) => each.name.name === name)?.name;
  for (const { provider, id } of readingsOf(name)) {
    const client = onlyClient(
      claims
        .map((claim) => claim.client)
        .filter((each) => each.clientId === id && (provider === undefined || provider === each.provider)),
    );
    if (client === undefined) continue;
    const starts = claims
      .filter((each) => clientText(each.client) === clientText(client))
      .map(({ service }) => service);
    const isMissing = serviceName !== undefined && starts.every((each) => each.name !== name);
    return { client, starts: isMissing ? [...starts, serviceName] : starts };
  }
  if (serviceName === undefined) return { client: undefined, starts: [] };
  return { client: claims.find((claim) => claim.service.name === name)?.client, starts: [serviceName] };
}

/** By the index of marked sources: anybody who may register services can make thousands of claims that do not count. */
function hasEdge(
  client: ClientId,
  source: ServiceName,
  { owned, entries: all, mapping }: WorldState,
): boolean {
  const entries = new Map(
    owned.ofService(source).flatMap((destination) => {
      const text = serviceText(destination);
      const entry = all.get(text);
      return entry === undefined ? [] : [[text, entry] as const];
    }),
  );
  const edgesFrom = meshEdges({ owner: mapping.owner, entries, services: [], client });
  return edgesFrom(source).some(({ endsAtQuarantine }) => endsAtQuarantine);
}

function noSuchName(name: string): SyncError {
  return configError(`no service and no client with a service has the name ${name}`);
}
