import { z } from 'zod';
import { toSettings } from './any-provider.js';
import { AUTH0, type Auth0Settings } from './auth0.js';
import { ENTRA, type EntraSettings, toEntra } from './entra.js';
import { KEYCLOAK, type KeycloakSettings } from './keycloak.js';
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
  const settings = toSettingsOfKind(parsed, absolute);
  return settings.caFile === undefined ? settings : { ...settings, caFile: absolute(settings.caFile) };
}

function toSettingsOfKind(
  parsed: z.output<typeof PROVIDER>,
  absolute: (path: string) => string,
): ProviderSettings {
  switch (parsed.kind) {
    case 'auth0':
      return toSettings(parsed);
    case 'entra':
      return toEntra(parsed, absolute);
    case 'keycloak':
      return toSettings(parsed);
    case 'oidc':
      return toOidc(parsed, absolute);
    case 'okta':
      return toOkta(parsed);
  }
}
