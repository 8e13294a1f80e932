import type { OAuthClient } from '../model/client.js';
import type { Evidence } from '../model/trigger.js';

/** The evidence about the clients of one provider. */
export interface ProviderEvidence {
  readonly forEveryClient: readonly Evidence[];
  readonly clientIds: ReadonlySet<string>;
  /** All evidence about one client. */
  readonly forClient: (clientId: string) => readonly Evidence[];
}

/**
 * Evidence about a scope applies to every client; evidence about a client only to that client. So a comparison after ten
 * thousand events does not send all of them to every destination.
 */
export function toProviderEvidence(
  provider: string,
  evidence: readonly Evidence[],
  clients: readonly OAuthClient[],
): ProviderEvidence {
  const ids = new Set(evidence.flatMap(({ internalIds = [] }) => internalIds));
  const found = clients.filter(({ internalId }) => internalId !== undefined && ids.has(internalId));
  const forEveryClient = evidence.filter(({ scopes = [] }) => scopes.length > 0);
  const clientIds = new Set([
    ...evidence.flatMap(({ clients: each = [] }) => each),
    ...found.map(({ clientId }) => clientId),
  ]);
  const forClient = (clientId: string) =>
    clientIds.has(clientId) ? [...forEveryClient, { provider, clients: [clientId] }] : forEveryClient;
  return { forEveryClient, clientIds, forClient };
}
