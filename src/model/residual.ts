/** A fact that nothing shows to scopemesh. */
export const UNKNOWN = 'unknown';

/** How long a Consul client agent may honour what its servers already refuse, in seconds (`acl.*_ttl`). */
export interface AgentCache {
  readonly roleSeconds: number;
  readonly policySeconds: number;
  readonly tokenSeconds: number;
}

/**
 * What of a revoked access goes on after the write. A field is absent where it does not apply, and `unknown` where it applies
 * and its extent is not known.
 */
export interface Residual {
  /** Each pooled connection of the caller serves its next request by the old permissions. */
  readonly nextRequests?: true;
  /**
   * How long streams and TCP connections that are open stay open, in seconds: Envoy's drain time. Consul does not know it, so
   * it is `unknown` today; Envoy's default is 600.
   */
  readonly openStreamsSeconds?: number | typeof UNKNOWN;
  readonly agentCache?: AgentCache | typeof UNKNOWN;
  /**
   * Until when access tokens live that the provider issued before. They still pass where only a token is asked for. It is
   * `unknown` today, because the lifetime of a client is the lower end of what its tokens may have; decisions of earlier versions have
   * an instant, ISO 8601.
   */
  readonly accessTokensUntil?: string | typeof UNKNOWN;
  /** Consul refuses the access only when consul-k8s has brought it the manifest. */
  readonly untilSynced?: true;
  /** Intentions of others that still let the client's services in, as `source -> destination`; 20 at most. */
  readonly foreignAllows?: readonly string[];
}
