import type { Config } from '../../../config/config.js';
import { NEVER } from '../../linked-signal.js';
import { isCaller } from '../../model/catalog.js';
import { compareText } from '../../model/compare-text.js';
import type { IntentionSource, ServiceName } from '../../model/intention.js';
import { serviceText } from '../../plan/world.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { Mesh } from '../answers.js';
import { createEdgeMaker } from './edges.js';
import { createGrouper } from './groups.js';
import { heldIn } from './held.js';
import { beginAnswer, type ConsoleParts, displayName } from './parts.js';
import { edgeOf } from './service-list.js';

/** More than any mesh has: two services and this number make one number for their edge. */
const MOST_SERVICES = 2 ** 24;
/** One piece of work; on a busy machine too. */
const PIECE_MS = 4;

/** What a question about the map takes its part of: the whole mesh. */
export async function readMesh(parts: ConsoleParts): Promise<Mesh> {
  const head = await beginAnswer(parts);
  const records = await parts.live().deps.journal.readAll();
  const holds = await runCooperatively(heldIn(records), NEVER);
  return { ...head, ...(await runCooperatively(meshOf(parts, holds), NEVER)) };
}

type Holds = Parameters<typeof createEdgeMaker>[2];

function* meshOf(
  { config, live }: Pick<ConsoleParts, 'config' | 'live'>,
  holds: Holds,
): Generator<void, Omit<Mesh, keyof Awaited<ReturnType<typeof beginAnswer>>>> {
  const { world, clock } = live().deps;
  const now = clock.now();
  const maker = createEdgeMaker(world, now, holds, config);
  const groupOf = createGrouper(world, now, config);
  const signs = new Table<Mesh['signs'][number]>();
  const grants = new Table<readonly string[]>();
  const nodes = new Names(config);
  // Columns, as the answer has them: an object for each edge would make long collections of garbage.
  const rowOf = new Map<number, number>();
  const found: Mesh['edges'] = { from: [], to: [], signs: [], grants: [] };
  const note = (from: ServiceName, to: ServiceName, source: IntentionSource | undefined) => {
    const { state, access, grants: opening } = maker.glanceAt(from, to, source);
    const [caller, called] = [nodes.of(from, source?.peer), nodes.of(to)];
    const key = caller * MOST_SERVICES + called;
    const known = rowOf.get(key);
    if (source === undefined && known !== undefined) return;
    const row = known ?? rowOf.size;
    rowOf.set(key, row);
    const requests = requestsOf(source);
    const look = `${state} ${access} ${requests.methods} ${requests.user}`;
    const scopes = [...new Set(opening.map(({ name }) => name))].toSorted(compareText);
    found.from[row] = caller;
    found.to[row] = called;
    found.signs[row] = signs.indexOf(look, { state, access, ...requests });
    found.grants[row] = grants.indexOf(scopes.join('\n'), scopes);
  };
  let until = performance.now() + PIECE_MS;
  const isPieceOver = () => performance.now() > until;
  const rest = function* (): Generator<void, void> {
    yield;
    until = performance.now() + PIECE_MS;
  };
  for (const { name, instances } of world.catalog?.services ?? []) {
    if (instances.length === 0 || instances.some(isCaller)) nodes.of(name);
    if (isPieceOver()) yield* rest();
  }
  for (const { destination, sources } of world.entries.values())
    for (const source of sources) {
      note(source, destination, source);
      if (isPieceOver()) yield* rest();
    }
  for (const hold of holds) {
    const [from, to] = edgeOf(hold);
    if (from !== undefined && to !== undefined) note(from, { ...to, name: to.name.toLowerCase() }, undefined);
    if (isPieceOver()) yield* rest();
  }
  yield* rest();
  const sorted = nodes.all.map((node, at) => ({ ...node, at })).sort((a, b) => compareText(a.shown, b.shown));
  const names = sorted.map(({ shown }) => shown);
  const places = new Uint32Array(names.length);
  const groupNames: string[] = [];
  for (const [place, { at, name }] of sorted.entries()) {
    places[at] = place;
    groupNames.push(groupOf(name));
    if (isPieceOver()) yield* rest();
  }
  const groups = [...new Set(groupNames)].toSorted(compareText);
  yield* rest();
  const groupAt = new Map(groups.map((group, at) => [group, at]));
  // By the place of the source, then of the destination: one sort of all edges would be one long run.
  const rows = names.map((): number[] => []);
  for (const [row, from] of found.from.entries()) {
    rows[places[from] ?? 0]?.push(row);
    if (isPieceOver()) yield* rest();
  }
  const placeOf = (row: number) => places[found.to[row] ?? 0] ?? 0;
  const [callers, calls] = [names.map(() => 0), names.map(() => 0)];
  const edges: Mesh['edges'] = { from: [], to: [], signs: [], grants: [] };
  for (const [from, own] of rows.entries()) {
    for (const row of own.sort((a, b) => placeOf(a) - placeOf(b))) {
      const [to, sign] = [placeOf(row), found.signs[row] ?? 0];
      edges.from.push(from);
      edges.to.push(to);
      edges.signs.push(sign);
      edges.grants.push(found.grants[row] ?? 0);
      const { access } = signs.all[sign] ?? { access: 'none' };
      if (access === 'deny' || access === 'none') continue;
      callers[to] = (callers[to] ?? 0) + 1;
      calls[from] = (calls[from] ?? 0) + 1;
    }
    if (isPieceOver()) yield* rest();
  }
  return {
    total: { services: names.length, edges: rowOf.size },
    groups,
    services: { names, groups: groupNames.map((group) => groupAt.get(group) ?? 0), callers, calls },
    signs: [...signs.all],
    grants: grants.all.map((scopes) => [...scopes]),
    edges,
  };
}

/** Names as the answer has them. Names that differ only in their case are one: as destinations they are one in Consul. */
class Names {
  readonly all: { readonly shown: string; readonly name: ServiceName | undefined }[] = [];
  readonly #config: Pick<Config, 'consul'>;
  readonly #known = new Map<string, number>();

  constructor(config: Pick<Config, 'consul'>) {
    this.#config = config;
  }

  /** The place in `all`. */
  of(name: ServiceName, peer?: string): number {
    const key = serviceText(name).toLowerCase() + (peer === undefined ? '' : ` ${peer}`);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const shown = displayName(name, this.#config) + (peer === undefined ? '' : ` (${peer})`);
    this.#known.set(key, this.all.length);
    return this.all.push({ shown, name: peer === undefined ? name : undefined }) - 1;
  }
}

/** Each value once. */
class Table<T> {
  readonly all: T[] = [];
  readonly #known = new Map<string, number>();

  indexOf(text: string, value: T): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#known.set(text, this.all.length);
    return this.all.push(value) - 1;
  }
}

function requestsOf(source: IntentionSource | undefined): Pick<Mesh['signs'][number], 'methods' | 'user'> {
  if (source?.access.kind !== 'http') return { methods: null, user: false };
  const { permissions } = source.access;
  const all = permissions.map(({ methods }) => methods);
  return {
    methods: all.includes(undefined)
      ? null
      : [...new Set(all.flatMap((each) => each ?? []))].toSorted(compareText),
    user: permissions.some(({ jwt }) => jwt !== undefined),
  };
}
