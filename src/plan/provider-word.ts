import type { OAuthClient } from '../model/client.js';
import type { Evidence } from '../model/trigger.js';

/** What was told of a provider's clients. */
export interface ProviderWord {
  readonly ofAll: readonly Evidence[];
  readonly named: ReadonlySet<string>;
  /** All that was told of one client. */
  readonly about: (clientId: string) => readonly Evidence[];
}

/**
 * Word of a scope concerns everybody; word of a client that client alone, so that a comparison for ten thousand events
 * does not send all of them to every destination.
 */
export function wordOf(
  provider: string,
  evidence: readonly Evidence[],
  clients: readonly OAuthClient[],
): ProviderWord {
  const ids = new Set(evidence.flatMap(({ internalIds = [] }) => internalIds));
  const found = clients.filter(({ internalId }) => internalId !== undefined && ids.has(internalId));
  const ofAll = evidence.filter(({ scopes = [] }) => scopes.length > 0);
  const named = new Set([
    ...evidence.flatMap(({ clients: each = [] }) => each),
    ...found.map(({ clientId }) => clientId),
  ]);
  const about = (clientId: string) =>
    named.has(clientId) ? [...ofAll, { provider, clients: [clientId] }] : ofAll;
  return { ofAll, named, about };
}
