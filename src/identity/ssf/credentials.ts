import type { Secret } from '../../model/secret.js';

/** What the management API and the poll authenticate with. */
export type SsfCredentials =
  | { readonly token: Secret }
  | {
      readonly clientId: string;
      readonly clientSecret: Secret;
      /** Whose discovery document names the token endpoint. */
      readonly tokenIssuer: string;
      readonly scope: string;
    };
