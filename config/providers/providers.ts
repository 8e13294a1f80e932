import { z } from 'zod';
import { AUTH0, type Auth0Settings, toAuth0 } from './auth0.js';
import { ENTRA, type EntraSettings, toEntra } from './entra.js';
import { KEYCLOAK, type KeycloakSettings, toKeycloak } from './keycloak.js';
import { OIDC, type OidcSettings, toOidc } from './oidc.js';
import { OKTA, type OktaSettings, toOkta } from './okta.js';

/** Every kind of provider. A new kind needs an entry here and in the switch. */
export type ProviderSettings = Auth0Settings | EntraSettings | KeycloakSettings | OidcSettings | OktaSettings;

export const PROVIDER = z.discriminatedUnion('kind', [AUTH0, ENTRA, KEYCLOAK, OIDC, OKTA]);

/** `absolute` completes the path of a file. */
export function toProvider(
  parsed: z.output<typeof PROVIDER>,
  absolute: (path: string) => string,
): ProviderSettings {
  switch (parsed.kind) {
    case 'auth0':
      return toAuth0(parsed);
    case 'entra':
      return toEntra(parsed, absolute);
    case 'keycloak':
      return toKeycloak(parsed);
    case 'oidc':
      return toOidc(parsed, absolute);
    case 'okta':
      return toOkta(parsed);
  }
}
