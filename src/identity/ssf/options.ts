import type { Secret } from '../../model/secret.js';
import type { Runtime } from '../../runtime.js';

export interface SsfOptions extends Runtime {
  readonly provider: string;
  /** The issuer of the provider's tokens. Only its subjects are known here. */
  readonly issuer: string;
  /** Allows plain http to hosts that are not loopback. */
  readonly insecure: boolean;
  /** The transmitter's issuer, exactly as its configuration names it: the `iss` of its events. */
  readonly transmitter: string;
  /** The accepted values of `aud`. */
  readonly audiences: readonly string[];
  /** How events are delivered. With `poll`, pushes are refused. */
  readonly delivery: 'push' | 'poll';
  /** The URL of `POST /events/<provider>` as the transmitter reaches it. */
  readonly endpoint?: string;
  /** What follows `Bearer ` in the transmitter's requests; several during a rotation. Empty: it sends none. */
  readonly pushTokens: readonly Secret[];
  /** For the management API and the poll. Absent if the stream is configured manually. */
  readonly credentials?: SsfCredentials;
  /** The time between two verifications. */
  readonly verifyMs: number;
  readonly pollMs: number;
  /** CA certificates in PEM, instead of the public ones. */
  readonly caCert?: string;
}

/** The credentials for the management API and the poll. */
export type SsfCredentials =
  | { readonly token: Secret }
  | {
      readonly clientId: string;
      readonly clientSecret: Secret;
      /** The issuer whose discovery document names the token endpoint. */
      readonly tokenIssuer: string;
      readonly scope: string;
    };
