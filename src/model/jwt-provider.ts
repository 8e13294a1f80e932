/**
 * A jwt-provider config entry as scopemesh writes it: whose tokens Envoy accepts, for whom, and where their keys are.
 * Config entries have no Description, so the mark is in its Meta.
 */
export interface JwtProviderEntry {
  readonly name: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** From where Envoy fetches the keys. */
  readonly jwksUri: string;
  /** By which it verifies that server, on its own machine; without it, it does not. */
  readonly caFile?: string;
  readonly meta: Readonly<Record<string, string>>;
}

/** A jwt-provider entry as it stands in Consul, whoever wrote it. */
export interface ExistingJwtProvider {
  readonly name: string;
  readonly meta: Readonly<Record<string, string>>;
  /** `other` where it has something that scopemesh does not write. */
  readonly content: JwtProviderEntry | 'other';
  readonly modifyIndex: number;
}
