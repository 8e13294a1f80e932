import { z } from 'zod';
import { AUTH0, type Auth0Settings, toAuth0 } from './auth0.js';
import { KEYCLOAK, type KeycloakSettings, toKeycloak } from './keycloak.js';
import { OIDC, type OidcSettings, toOidc } from './oidc.js';
import { OKTA, type OktaSettings, toOkta } from './okta.js';

/** Every kind of provider there is: one line each here and in the switch. */
export type ProviderSettings = Auth0Settings | KeycloakSettings | OidcSettings | OktaSettings;

const PLANNED_KINDS: readonly unknown[] = ['entra'];

export const PROVIDER = z.discriminatedUnion('kind', [AUTH0, KEYCLOAK, OIDC, OKTA], {
  error: ({ input }) =>
    isPlannedKind(input)
      ? 'this kind of provider is not built yet; use one of: auth0, keycloak, oidc, okta'
      : undefined,
});

/** `absolute` completes the path of a file. */
export function toProvider(
  parsed: z.output<typeof PROVIDER>,
  absolute: (path: string) => string,
): ProviderSettings {
  switch (parsed.kind) {
    case 'auth0':
      return toAuth0(parsed);
    case 'keycloak':
      return toKeycloak(parsed);
    case 'oidc':
      return toOidc(parsed, absolute);
    case 'okta':
      return toOkta(parsed);
  }
}

function isPlannedKind(input: unknown): boolean {
  return typeof input === 'object' && input !== null && 'kind' in input && PLANNED_KINDS.includes(input.kind);
}
