import { configError } from '../errors.js';
import type { ClientId } from '../plan/world.js';
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
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const all = world.mapping.providers.join(', ');
  const message =
    only === undefined
      ? `no provider has the client ${text}; write CLIENT-ID or PROVIDER/CLIENT-ID with one of these providers: ${all}`
      : `several clients have this name; write one of ${found.map(({ provider, clientId }) => `${provider}/${clientId}`).join(', ')}`;
  throw configError(message);
}
