import type { Config } from '../../../config/config.js';
import type { ServiceName } from '../../model/intention.js';
import type { ClaimStatus } from '../../plan/claim-status.js';
import { isSourceOf } from '../../plan/ownership.js';
import { serviceText } from '../../plan/world.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { WorldState } from '../../state/world-state.js';
import type { Claim, Edge, ServicePage } from '../answers.js';
import { createEdgeMaker, type EdgeMaker } from './edges.js';
import { heldIn } from './held.js';
import { beginAnswer, type ConsoleParts, displayName, NoSuchThing } from './parts.js';
import { edgeOf } from './service-list.js';

/** Edges of one direction in an answer. */
const MOST_EDGES = 500;
const IN_ONE_PIECE = 50;

/** `GET /api/services/{name}`: who may call a service, and what it may call. Throws NoSuchThing. */
export async function readService(
  parts: ConsoleParts,
  name: string,
  signal: AbortSignal,
): Promise<ServicePage> {
  const head = await beginAnswer(parts);
  const { config } = parts;
  const { world, journal, clock } = parts.live().deps;
  const named = serviceNamed(name, config);
  const destination = { ...named, name: named.name.toLowerCase() };
  const entry = world.entries.get(serviceText(destination));
  const wildcard = { ...named, name: '*' };
  const all = world.entries.get(serviceText(wildcard));
  const called = world.owned.holding(named);
  const holds = await runCooperatively(heldIn(await journal.readAll()), signal);
  const here = holds.flatMap((hold) => {
    const [source, to] = edgeOf(hold);
    if (source === undefined || to === undefined) return [];
    const isIn = serviceText(to) === serviceText(destination);
    return isIn || serviceText(source) === serviceText(named) ? [{ source, to, isIn }] : [];
  });
  const listed = world.catalog?.services.find((each) => serviceText(each.name) === serviceText(named));
  const claim = world.claimStatuses(clock.now()).get(serviceText(named));
  const isKnown =
    listed !== undefined ||
    entry !== undefined ||
    called.length > 0 ||
    here.length > 0 ||
    (claim !== undefined && claim.kind !== 'none');
  if (!isKnown) throw new NoSuchThing(`neither Consul nor a hold names the service ${name}`);
  const maker = createEdgeMaker(world, clock.now(), holds, config);
  const lists: readonly (readonly [Edge[], Iterable<Edge>])[] = [
    [[], incoming(maker, destination, world.entries, wildcard)],
    [[], outgoing(maker, named, [...called, ...(all === undefined ? [] : [wildcard])], world.entries)],
  ];
  const [first, second] = await Promise.all(
    lists.map(([into, edges]) => runCooperatively(take(edges, into), signal)),
  );
  const seen = new Set([...(first ?? []), ...(second ?? [])].map(({ from, to }) => `${from} ${to}`));
  const missing = here
    .map(({ source, to, isIn }) => ({ isIn, edge: maker.between(source, to) }))
    .filter(({ edge }) => !seen.has(`${edge.from} ${edge.to}`));
  const isCaller = (each: { readonly access: { readonly kind: string } }) => each.access.kind !== 'deny';
  return {
    ...head,
    name: displayName(listed?.name ?? named, config),
    callers: entry?.sources.filter(isCaller).length ?? 0,
    calls: [...called, wildcard].filter((to) =>
      world.entries
        .get(serviceText(to))
        ?.sources.some((each) => each.peer === undefined && isSourceOf(each, named) && isCaller(each)),
    ).length,
    held: here.length,
    protocol: world.catalog === undefined ? null : world.protocolOf(named),
    in: [...missing.flatMap(({ isIn, edge }) => (isIn ? edge : [])), ...(first ?? [])].slice(0, MOST_EDGES),
    out: [...missing.flatMap(({ isIn, edge }) => (isIn ? [] : edge)), ...(second ?? [])].slice(0, MOST_EDGES),
    claims: claim === undefined ? [] : [toClaim(claim, config)],
  };
}

type Entries = WorldState['entries'];

/** The intentions of the destination, then those of every destination. */
function* incoming(
  maker: EdgeMaker,
  destination: ServiceName,
  entries: Entries,
  wildcard: ServiceName,
): Iterable<Edge> {
  for (const to of [destination, wildcard])
    for (const source of entries.get(serviceText(to))?.sources ?? []) yield maker.ofSource(to, source);
}

function* outgoing(
  maker: EdgeMaker,
  from: ServiceName,
  destinations: readonly ServiceName[],
  entries: Entries,
): Iterable<Edge> {
  for (const to of destinations)
    for (const source of entries.get(serviceText(to))?.sources ?? [])
      if (source.peer === undefined && isSourceOf(source, from)) yield maker.ofSource(to, source);
}

function* take(edges: Iterable<Edge>, into: Edge[]): Generator<void, readonly Edge[]> {
  for (const edge of edges) {
    if (into.push(edge) === MOST_EDGES) return into;
    if (into.length % IN_ONE_PIECE === 0) yield;
  }
  return into;
}

export function toClaim(claim: ClaimStatus, config: Pick<Config, 'consul'>): Claim {
  const { kind } = claim;
  const client =
    claim.kind === 'none' ? null : { provider: claim.client.provider, id: claim.client.clientId };
  return { service: displayName(claim.service, config), client, kind, detail: whyNot(claim) };
}

function whyNot(claim: ClaimStatus): string | null {
  switch (claim.kind) {
    case 'claimed':
      return claim.addNothing ? 'Its instances disagree, so it gains nothing.' : null;
    case 'refused':
      return `${claim.reason}: ${claim.detail}`;
    case 'unrecorded':
      return claim.unreadableKey === undefined
        ? 'The claim is not recorded yet.'
        : `The key ${claim.unreadableKey} in Consul's KV cannot be read; delete or repair it.`;
    case 'unknown':
      return 'The client was not read at its provider.';
    case 'none':
      if (claim.isOutside) return 'It is outside select.';
      return claim.vanished ? 'It has no instance.' : 'It claims no OAuth client.';
  }
}

/** The reverse of `displayName`. */
export function serviceNamed(name: string, { consul }: Pick<Config, 'consul'>): ServiceName {
  const { partition = 'default', namespace = 'default' } = consul;
  const [first = '', second = '', ...rest] = name.split('/');
  return rest.length === 0
    ? { partition, namespace, name }
    : { partition: first, namespace: second, name: rest.join('/') };
}
