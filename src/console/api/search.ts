import { runCooperatively } from '../../run-cooperatively.js';
import type { Found } from '../answers.js';
import { clientRows } from './client-pages.js';
import type { ConsoleParts } from './parts.js';
import { serviceRows } from './service-list.js';

/** Of each kind. */
const MOST_FOUND = 10;

/** `GET /api/search`: services and clients whose name has the text, those that begin with it first. */
export async function search(parts: ConsoleParts, q: string, signal: AbortSignal): Promise<Found> {
  const { world, clock } = parts.live().deps;
  const part = q.toLowerCase();
  const services = await runCooperatively(serviceRows(world, [], parts.config), signal);
  const clients = await runCooperatively(clientRows(world, clock.now(), parts), signal);
  const first = <T>(rows: readonly T[], textsOf: (row: T) => readonly string[]) =>
    rows
      .flatMap((row) => {
        const at = textsOf(row).flatMap((text) => {
          const place = text.toLowerCase().indexOf(part);
          return place === -1 ? [] : [place * 1_000 + text.length];
        });
        return at.length === 0 ? [] : [{ row, rank: Math.min(...at) }];
      })
      .toSorted((a, b) => a.rank - b.rank)
      .slice(0, MOST_FOUND)
      .map(({ row }) => row);
  return [
    ...first(services, ({ name }) => [name]).map(({ name }) => ({
      kind: 'service' as const,
      name,
      url: `/services/${encodeURIComponent(name)}`,
    })),
    ...first(clients, ({ id, name }) => [id, ...(name === null ? [] : [name])]).map(({ provider, id }) => ({
      kind: 'client' as const,
      name: `${provider}/${id}`,
      url: `/clients/${encodeURIComponent(provider)}/${encodeURIComponent(id)}`,
    })),
    ...(ULID.test(q) ? [{ kind: 'decision' as const, name: q, url: `/changes/${q}` }] : []),
  ];
}

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
