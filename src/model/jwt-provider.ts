/**
 * A jwt-provider config entry as scopemesh writes it: the issuer and audiences that Envoy accepts, and where the keys are.
 * Config entries have no Description, so the mark is in the Meta.
 */
export interface JwtProviderEntry {
  readonly name: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** From where Envoy fetches the keys. */
  readonly jwksUri: string;
  /** The CA file on Envoy's machine with which Envoy verifies the key server; without it Envoy verifies nothing. */
  readonly caFile?: string;
  /** The header in which Envoy forwards the claims of a verified token. It removes what a caller sent in it. */
  readonly forwardHeader?: string;
  readonly meta: Readonly<Record<string, string>>;
}

/** A jwt-provider entry in Consul, owned or foreign. */
export interface ExistingJwtProvider {
  readonly name: string;
  readonly meta: Readonly<Record<string, string>>;
  /** `other` if it has something that scopemesh does not write. */
  readonly content: JwtProviderEntry | 'other';
  /** Consul takes its nanoseconds for seconds (agent/xds/jwt_authn.go), so Envoy refuses a listener with this provider. */
  readonly hasCacheDuration?: true;
  readonly modifyIndex: number;
}
