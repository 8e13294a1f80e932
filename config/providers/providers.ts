import { z } from 'zod';
import { KEYCLOAK, type KeycloakSettings, toKeycloak } from './keycloak.js';
import { OIDC, type OidcSettings, toOidc } from './oidc.js';

/** Every kind of provider there is: one line each here and in the switch. */
export type ProviderSettings = KeycloakSettings | OidcSettings;

const PLANNED_KINDS: readonly unknown[] = ['okta', 'entra', 'auth0'];

export const PROVIDER = z.discriminatedUnion('kind', [KEYCLOAK, OIDC], {
  error: ({ input }) =>
    isPlannedKind(input) ? 'this kind of provider is not built yet; use one of: keycloak, oidc' : undefined,
});

/** `absolute` completes the path of a file. */
export function toProvider(
  parsed: z.output<typeof PROVIDER>,
  absolute: (path: string) => string,
): ProviderSettings {
  switch (parsed.kind) {
    case 'keycloak':
      return toKeycloak(parsed);
    case 'oidc':
      return toOidc(parsed, absolute);
  }
}

function isPlannedKind(input: unknown): boolean {
  return typeof input === 'object' && input !== null && 'kind' in input && PLANNED_KINDS.includes(input.kind);
}
