import { z } from 'zod';
import type { Secret } from '../../src/model/secret.js';
import { secret, text, toggle } from '../fields.js';
import { type AnyProvider, everyKind, toAnyProvider } from './any-provider.js';

export interface KeycloakSettings extends AnyProvider {
  readonly kind: 'keycloak';
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly serviceAccountRoles: boolean;
}

export const KEYCLOAK = z.strictObject({
  kind: z.literal('keycloak'),
  ...everyKind,
  clientId: text().describe('The client that scopemesh uses to read the Admin REST API.'),
  clientSecret: secret(),
  serviceAccountRoles: toggle()
    .prefault(false)
    .describe('Whether roles of service accounts count as scopes.'),
  apis: z
    .array(text())
    .min(1, 'must name a client; write its client id, like orders-api')
    .exactOptional()
    .describe(
      'With serviceAccountRoles, the client IDs of the clients whose roles count; by default all of them. A rule names one under api.',
    ),
});

export function toKeycloak(parsed: z.output<typeof KEYCLOAK>): KeycloakSettings {
  return {
    kind: parsed.kind,
    ...toAnyProvider(parsed, { client: 'azp', scopes: 'scope', groups: 'groups' }),
    clientId: parsed.clientId,
    clientSecret: parsed.clientSecret,
    serviceAccountRoles: parsed.serviceAccountRoles,
    ...(parsed.apis === undefined ? {} : { apis: parsed.apis }),
  };
}
