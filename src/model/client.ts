import type { ActorKind } from './actor.js';

/**
 * A scope that a client may obtain, identified by (provider, api, name): an equal name at another API is
 * another scope. `api` is absent where the IdP has one namespace of scopes (Keycloak client scopes).
 */
export interface Grant {
  readonly api?: string;
  readonly name: string;
}

/** An OAuth client as its IdP describes it; every string in it is hostile. */
export interface OAuthClient {
  readonly provider: string;
  readonly clientId: string;
  /** The IdP's own identifier where it differs from the client id (Keycloak's UUID). */
  readonly internalId?: string;
  readonly name?: string;
  readonly enabled: boolean;
  /** OAuth grant types, by their names in RFC 6749 and its extensions. */
  readonly grantTypes: readonly string[];
  readonly grants: readonly Grant[];
  readonly accessTokenLifetimeSeconds?: number;
  /** The IdP has a lifetime for the client's tokens, and does not let it be read: nothing may live longer for that. */
  readonly isLifetimeUnread?: boolean;
  /** ISO 8601, where the IdP tells: later than a report of a compromise, it shows that the secret was changed. */
  readonly secretCreatedAt?: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** What the IdP itself says of who stands behind it (an agent identity, a service account); absent where it does not. */
  readonly actorKind?: ActorKind;
}

/** The services that the client itself names (attribute `consul-services`: comma-separated or a list). */
export function confirmedServices(client: OAuthClient): readonly string[] {
  return (client.attributes['consul-services'] ?? '')
    .split(/[\s,]+|##/)
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
