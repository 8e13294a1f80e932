import type { OAuthClient } from '../../model/client.js';
import type { IntentionSource } from '../../model/intention.js';
import { sameGrant } from '../../plan/grant-text.js';
import { clientOfDescription, isSourceOf } from '../../plan/ownership.js';
import { type ClientId, clientText, parseClientText, serviceText } from '../../plan/world.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { WorldState } from '../../state/world-state.js';
import type { ClientPage, ClientRow, Clients, Edge } from '../answers.js';
import { createEdgeMaker } from './edges.js';
import { heldIn } from './held.js';
import { pageOf } from './page-of.js';
import { beginAnswer, type ConsoleParts, displayName, NoSuchThing } from './parts.js';
import { edgeOf } from './service-list.js';
import { toClaim } from './service-page.js';

export interface ClientsQuery {
  readonly q: string;
  readonly sort: 'name' | '-scopes' | '-edges';
  readonly cursor?: string | undefined;
  readonly limit: number;
}

const IN_ONE_PIECE = 100;
const MOST_EDGES = 500;
const EDGES_IN_ONE_PIECE = 20;

/** `GET /api/clients`: a page of the clients that an identity provider, a claim or an order names. */
export async function listClients(
  parts: ConsoleParts,
  { q, sort, cursor, limit }: ClientsQuery,
  signal: AbortSignal,
): Promise<Clients> {
  const head = await beginAnswer(parts);
  const { world, clock } = parts.live().deps;
  const all = await runCooperatively(clientRows(world, clock.now(), parts), signal);
  const part = q.toLowerCase();
  const found = all.filter(
    ({ provider, id, name, services }) =>
      part === '' ||
      [`${provider}/${id}`, name ?? '', ...services].some((text) => text.toLowerCase().includes(part)),
  );
  const countOf = (row: ClientRow) => ({ name: 0, '-scopes': row.scopes, '-edges': row.edges })[sort];
  const placeOf = (row: ClientRow) => ({ value: countOf(row), name: `${row.provider}/${row.id}` });
  return { ...head, ...pageOf(found, placeOf, { cursor, limit }) };
}

export function* clientRows(
  world: WorldState,
  now: number,
  { config }: Pick<ConsoleParts, 'config'>,
): Generator<void, readonly ClientRow[]> {
  const services = new Map<string, string[]>();
  for (const claim of world.claimStatuses(now).values()) {
    if (claim.kind === 'none') continue;
    const client = clientText(claim.client);
    const known = services.get(client) ?? [];
    if (services.set(client, known).size % IN_ONE_PIECE === 0) yield;
    known.push(displayName(claim.service, config));
  }
  yield;
  const rows: ClientRow[] = [];
  for (const id of clientIds(world, services.keys())) {
    rows.push(toRow(world, id, services.get(clientText(id)) ?? []));
    if (rows.length % IN_ONE_PIECE === 0) yield;
  }
  return rows;
}

/** Of the directories, and those of which only a claim or an order says anything; each once. */
function* clientIds(world: WorldState, claimed: Iterable<string>): Iterable<ClientId> {
  const seen = new Set<string>();
  for (const provider of world.mapping.providers) {
    for (const clientId of world.clients(provider).keys()) {
      seen.add(clientText({ provider, clientId }));
      yield { provider, clientId };
    }
  }
  for (const texts of [world.directories.unreadable, world.view(0).clientBlocks.keys(), claimed])
    for (const text of texts) {
      if (seen.has(text)) continue;
      seen.add(text);
      yield parseClientText(text);
    }
}

function toRow(world: WorldState, id: ClientId, services: readonly string[]): ClientRow {
  const client: OAuthClient | undefined = world.client(id);
  return {
    provider: id.provider,
    id: id.clientId,
    name: client?.name ?? null,
    enabled: client === undefined || world.isUnreadable(id) ? null : client.enabled,
    kind: world.openings().get(clientText(id))?.actorKind ?? 'unknown',
    services: services.toSorted(),
    scopes: client?.grants.length ?? 0,
    edges: world.owned.countOf(id),
    blocked: world.clientBlock(id) ?? null,
  };
}

/** `GET /api/clients/{provider}/{id}`: what each scope of a client opens. Throws NoSuchThing. */
export async function readClient(
  parts: ConsoleParts,
  id: ClientId,
  signal: AbortSignal,
): Promise<ClientPage> {
  const head = await beginAnswer(parts);
  const { config } = parts;
  const { world, journal, clock } = parts.live().deps;
  const now = clock.now();
  const client = world.client(id);
  const claims = world.claimsOn(id, now);
  const isKnown =
    client !== undefined ||
    claims.length > 0 ||
    world.isUnreadable(id) ||
    world.clientBlock(id) !== undefined ||
    world.owned.countOf(id) > 0;
  if (!isKnown) throw new NoSuchThing('no provider, no claim and no order names this client');
  const holds = await runCooperatively(heldIn(await journal.readAll()), signal);
  const maker = createEdgeMaker(world, now, holds, config);
  const sources = claims.map(({ service: source }) => source);
  const shown = new Set<string>();
  const textOf = ({ from, to }: Edge) => `${from} ${to}`;
  const show = (edge: Edge) => shown.size < MOST_EDGES && shown.size < shown.add(textOf(edge)).size;
  let left = MOST_EDGES;
  /** What its scopes open for each of its services. */
  function* opened(names: Iterable<string>): Generator<void, Edge[]> {
    const edges: Edge[] = [];
    for (const name of new Set(names))
      for (const source of sources) {
        // An edge may be open by several scopes.
        if (left === 0) return edges;
        const edge = maker.between(source, { ...source, name });
        shown.add(textOf(edge));
        edges.push(edge);
        if (--left % EDGES_IN_ONE_PIECE === 0) yield;
      }
    return edges;
  }
  /** What else there is of it: intentions of its services, or with its name, and what is held. */
  function* others(): Generator<void, Edge[]> {
    const edges: Edge[] = [];
    const isOurs = (source: IntentionSource) => {
      const named = clientOfDescription(source.description);
      return (
        sources.some((each) => source.peer === undefined && isSourceOf(source, each)) ||
        (named !== undefined && clientText(named) === clientText(id))
      );
    };
    const all = [...world.owned.ofClient(id), ...sources.flatMap((source) => world.owned.holding(source))];
    for (const to of all) {
      for (const source of world.entries.get(serviceText(to))?.sources ?? []) {
        if (!isOurs(source)) continue;
        const edge = maker.ofSource(to, source);
        if (show(edge)) edges.push(edge);
      }
      yield;
    }
    for (const hold of holds) {
      const [source, to] = edgeOf(hold);
      if (source === undefined || to === undefined || !sources.some((each) => isSourceOf(source, each)))
        continue;
      const edge = maker.between(source, to);
      if (show(edge)) edges.push(edge);
    }
    return edges;
  }
  const openings = world.openings().get(clientText(id));
  const scopes: ClientPage['scopes'] = [];
  for (const grant of client?.grants ?? []) {
    const names = (openings?.openings ?? []).flatMap(({ destination, scope, api }) =>
      sameGrant(grant, api === undefined ? { name: scope } : { api, name: scope }) ? destination : [],
    );
    scopes.push({
      name: grant.name,
      api: grant.api ?? null,
      limited: openings?.limited.includes(grant.name) ?? false,
      edges: await runCooperatively(opened(names), signal),
    });
  }
  return {
    ...head,
    ...toRow(
      world,
      id,
      sources.map((source) => displayName(source, config)),
    ),
    claims: claims.map((claim) => toClaim(claim, config)),
    scopes,
    others: await runCooperatively(others(), signal),
  };
}
