import type { Secret } from '../../model/secret.js';

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
