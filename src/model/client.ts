import type { ActorKind } from './actor.js';

/**
 * A scope that a client may obtain, identified by (provider, api, name): an equal name at another API is
 * another scope. `api` is absent where the identity provider has one namespace of scopes (Keycloak client scopes).
 */
export interface Grant {
  readonly api?: string;
  readonly name: string;
}

/** An OAuth client as its identity provider describes it. Treat every string in it as hostile. */
export interface OAuthClient {
  readonly provider: string;
  readonly clientId: string;
  /** The identity provider's own identifier where it differs from the client id (Keycloak's UUID). */
  readonly internalId?: string;
  readonly name?: string;
  readonly enabled: boolean;
  /** OAuth grant types, by their names in RFC 6749 and its extensions. */
  readonly grantTypes: readonly string[];
  readonly grants: readonly Grant[];
  readonly accessTokenLifetimeSeconds?: number;
  /**
   * The identity provider may limit the lifetime of the client's tokens but does not show it, so no lifetime may be
   * extended.
   */
  readonly isLifetimeUnread?: boolean;
  /**
   * ISO 8601, if the identity provider reports it. A value after a reported compromise proves that the secret was changed.
   */
  readonly secretCreatedAt?: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** The kind that the identity provider itself reports (an agent identity, a service account); otherwise absent. */
  readonly actorKind?: ActorKind;
}

/** The services that the client itself names (attribute `consul-services`: comma-separated or a list). */
export function confirmedServices(client: Pick<OAuthClient, 'attributes'>): readonly string[] {
  return (client.attributes['consul-services'] ?? '')
    .split(/[\s,]+|##/)
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
