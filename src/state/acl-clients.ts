import { compareText } from '../plan/compare.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { AclCache } from './acl-cache.js';
import { clientOf } from './acl-owners.js';
import type { WorldState } from './world-state.js';

/** Every client that is known or has ACL objects, of one provider or of all. */
export function clientsWithAcl(
  { world, acl }: { readonly world: WorldState; readonly acl: { readonly cache: AclCache } },
  provider?: string,
): readonly ClientId[] {
  const { owner, providers } = world.mapping;
  const known = providers.flatMap((name) =>
    [...world.clients(name).keys()].map((clientId) => ({ provider: name, clientId })),
  );
  const existing = [...acl.cache.owned.values()].flatMap((each) => clientOf(each, owner) ?? []);
  return uniqueClients(
    [...known, ...existing].filter((id) => provider === undefined || id.provider === provider),
  );
}

/** Sorted, each once. */
export function uniqueClients(ids: Iterable<ClientId>): readonly ClientId[] {
  const found = new Map([...ids].map((id) => [clientText(id), id] as const));
  return [...found].toSorted(([a], [b]) => compareText(a, b)).map(([, id]) => id);
}
