import { isCaller } from '../../model/catalog.js';
import { toSegment } from '../../model/segment.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { WorldState } from '../../state/world-state.js';
import type { Found } from '../answers.js';
import { type ConsoleParts, displayName } from './parts.js';

/** Of each kind. */
const MOST_FOUND = 10;
const IN_ONE_PIECE = 1_000;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

interface Ranked {
  readonly found: Found[number];
  readonly rank: number;
}

/** `GET /api/search`: services and clients whose name has the text, those that begin with it first. */
export async function search(parts: ConsoleParts, q: string, signal: AbortSignal): Promise<Found> {
  const { world } = parts.live().deps;
  const part = q.toLowerCase();
  const ranked = await runCooperatively(matches(world, part, parts), signal);
  const best = (kind: Found[number]['kind']) =>
    ranked
      .filter(({ found }) => found.kind === kind)
      .toSorted((a, b) => a.rank - b.rank)
      .slice(0, MOST_FOUND)
      .map(({ found }) => found);
  const decision = ULID.test(q) ? [{ kind: 'decision' as const, name: q, url: `/changes/${q}` }] : [];
  return [...best('service'), ...best('client'), ...decision];
}

function* matches(
  world: WorldState,
  part: string,
  { config }: Pick<ConsoleParts, 'config'>,
): Generator<void, readonly Ranked[]> {
  const ranked: Ranked[] = [];
  const rankOf = (text: string) => {
    const at = text.toLowerCase().indexOf(part);
    return at === -1 ? Number.POSITIVE_INFINITY : at * 1_000 + text.length;
  };
  let left = IN_ONE_PIECE;
  const isPieceOver = () => {
    if (--left > 0) return false;
    left = IN_ONE_PIECE;
    return true;
  };
  const seen = new Set<string>();
  const services = [
    (world.catalog?.services ?? []).filter(
      ({ instances }) => instances.length === 0 || instances.some(isCaller),
    ),
    [...world.entries.values()].map(({ destination }) => ({ name: destination })),
  ];
  for (const { name: serviceName } of services.flat()) {
    const name = displayName(serviceName, config);
    const rank = rankOf(name);
    if (rank !== Number.POSITIVE_INFINITY && !seen.has(name.toLowerCase())) {
      seen.add(name.toLowerCase());
      const url = `/services/${toSegment(name)}`;
      ranked.push({ rank, found: { kind: 'service', name, url } });
    }
    if (isPieceOver()) yield;
  }
  for (const provider of world.mapping.providers)
    for (const { clientId, name } of world.clients(provider).values()) {
      const rank = Math.min(rankOf(clientId), name === undefined ? Number.POSITIVE_INFINITY : rankOf(name));
      if (rank !== Number.POSITIVE_INFINITY) {
        const url = `/clients/${toSegment(provider)}/${toSegment(clientId)}`;
        ranked.push({ rank, found: { kind: 'client', name: `${provider}/${clientId}`, url } });
      }
      if (isPieceOver()) yield;
    }
  return ranked;
}
