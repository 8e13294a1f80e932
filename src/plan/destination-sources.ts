import type { ServiceName } from '../model/intention.js';
import type { ClientOpenings } from './openings.js';

/** A destination, and the services whose clients' scopes open it or are held from opening it. */
export interface DestinationSources {
  readonly destination: ServiceName;
  /** By `serviceText`. */
  readonly services: ReadonlyMap<string, ServiceName>;
}

/** Every destination that a client's scopes open or are held from opening, each once. */
export function destinationNames({ openings, held }: ClientOpenings): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { destination } of openings) names.add(destination);
  for (const { destination } of held) names.add(destination);
  return names;
}

/** Those that it opens only for calls with a user's token. */
export function userDestinationNames({ openings }: ClientOpenings): ReadonlySet<string> {
  return new Set(openings.flatMap(({ destination, user }) => (user === undefined ? [] : destination)));
}
