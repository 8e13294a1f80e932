import type { Config } from '../../../config/config.js';
import { isCaller } from '../../model/catalog.js';
import type { ServiceName } from '../../model/intention.js';
import { endedHold } from '../../plan/holds.js';
import { serviceText } from '../../plan/world.js';
import type { RecordedHold } from '../../queue/journal.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { WorldState } from '../../state/world-state.js';
import type { ServiceRow, Services } from '../answers.js';
import { heldIn } from './held.js';
import { pageOf } from './page-of.js';
import { beginAnswer, type ConsoleParts, displayName } from './parts.js';

/** Sources of intentions, or services, in one piece of work: about a millisecond. */
const IN_ONE_PIECE = 1_000;

export interface ServicesQuery {
  readonly q: string;
  readonly sort: 'name' | '-callers' | '-calls' | '-held';
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** `GET /api/services`: a page of the services that the catalog, an intention or a hold names. */
export async function listServices(
  parts: ConsoleParts,
  { q, sort, cursor, limit }: ServicesQuery,
  signal: AbortSignal,
): Promise<Services> {
  const head = await beginAnswer(parts);
  const { world, journal } = parts.live().deps;
  const holds = await runCooperatively(heldIn(await journal.readAll()), signal);
  const all = await runCooperatively(serviceRows(world, holds, parts.config), signal);
  const part = q.toLowerCase();
  const found = part === '' ? all : all.filter(({ name }) => name.toLowerCase().includes(part));
  const countOf = (row: ServiceRow) =>
    ({ name: 0, '-callers': row.callers, '-calls': row.calls, '-held': row.held })[sort];
  const page = pageOf(found, (row) => ({ value: countOf(row), name: row.name }), { cursor, limit });
  return { ...head, ...page };
}

/**
 * The row of every service. Names that differ only in their case are one: as destinations they are one in Consul. The world
 * may change between two pieces; a row is then of one of the two moments.
 */
export function* serviceRows(
  world: WorldState,
  holds: readonly Pick<RecordedHold, 'subject' | 'reason'>[],
  config: Pick<Config, 'consul'>,
): Generator<void, readonly ServiceRow[]> {
  const rows = new Map<string, { name: ServiceName; callers: number; calls: number; held: number }>();
  const rowOf = (name: ServiceName) => {
    const key = serviceText(name).toLowerCase();
    const known = rows.get(key);
    if (known !== undefined) return known;
    const row = { name, callers: 0, calls: 0, held: 0 };
    rows.set(key, row);
    return row;
  };
  let left = IN_ONE_PIECE;
  const isPieceOver = () => {
    if (--left > 0) return false;
    left = IN_ONE_PIECE;
    return true;
  };
  for (const { name, instances } of world.catalog?.services ?? []) {
    // A sidecar or a mesh gateway calls in the name of another. Without a readable instance it may be a service.
    if (instances.length === 0 || instances.some(isCaller)) rowOf(name);
    if (isPieceOver()) yield;
  }
  for (const { destination, sources } of world.entries.values()) {
    const to = rowOf(destination);
    for (const source of sources) {
      if (source.access.kind !== 'deny') {
        to.callers++;
        if (source.peer === undefined) rowOf(source).calls++;
      }
      if (isPieceOver()) yield;
    }
  }
  for (const hold of holds) {
    for (const name of edgeOf(hold)) rowOf(name).held++;
    if (isPieceOver()) yield;
  }
  const made: ServiceRow[] = [];
  for (const { name, ...counts } of rows.values()) {
    const protocol = world.catalog === undefined ? null : world.protocolOf(name);
    made.push({ name: displayName(name, config), ...counts, protocol });
    if (isPieceOver()) yield;
  }
  return made;
}

/** The two services of a hold of an edge; none of any other hold. */
export function edgeOf(hold: Pick<RecordedHold, 'subject' | 'reason'>): readonly ServiceName[] {
  if (!hold.subject.startsWith('intention/')) return [];
  const { resource } = endedHold(hold);
  const { partition = 'default', namespace = 'default', source, destination } = resource;
  return [source, destination].flatMap((name) => (name === undefined ? [] : { partition, namespace, name }));
}
