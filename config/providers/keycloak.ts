import { z } from 'zod';
import { secret, text, toggle } from '../fields.js';
import { everyKind, type SettingsOf } from './any-provider.js';

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

export type KeycloakSettings = SettingsOf<z.output<typeof KEYCLOAK>>;
