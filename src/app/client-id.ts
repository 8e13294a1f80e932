import { configError } from '../errors.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { WorldState } from '../state/world-state.js';

/**
 * The client that a person names, as PROVIDER/CLIENT-ID, or by its client ID alone if only one provider has it. Throws
 * ERR_CONFIG for any other text. Client IDs may contain slashes.
 */
export function findClientId(world: WorldState, text: string): ClientId {
  const found = world.mapping.providers.flatMap((provider): readonly ClientId[] => {
    const ids = [text, ...(text.startsWith(`${provider}/`) ? [text.slice(provider.length + 1)] : [])];
    return ids.map((clientId) => ({ provider, clientId })).filter((id) => world.client(id) !== undefined);
  });
  const only = onlyClient(found);
  if (only !== undefined) return only;
  const all = world.mapping.providers.join(', ');
  throw configError(
    `no provider has the client ${text}; write CLIENT-ID or PROVIDER/CLIENT-ID with one of these providers: ${all}`,
  );
}

/** The one client among these, which may repeat; undefined without any. Throws ERR_CONFIG for several. */
export function onlyClient(clients: readonly ClientId[]): ClientId | undefined {
  const distinct = new Map(clients.map((each) => [clientText(each), each]));
  if (distinct.size <= 1) return clients[0];
  const names = [...distinct.values()].map(({ provider, clientId }) => `${provider}/${clientId}`);
  throw configError(`several clients have this name; write one of ${names.join(', ')}`);
}
