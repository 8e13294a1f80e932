import { z } from 'zod';
import { secret, text, toggle, url } from '../fields.js';
import { everyKind, type SettingsOf } from './any-provider.js';

export const AUTH0 = z.strictObject({
  kind: z.literal('auth0'),
  ...everyKind,
  clientId: text().describe(
    'The machine-to-machine application that scopemesh uses to read the Management API.',
  ),
  clientSecret: secret(),
  tenant: url('https:', 'http:')
    .exactOptional()
    .describe("The tenant's own address, where the issuer is a custom domain: https://acme.eu.auth0.com/"),
  apis: z
    .array(text())
    .min(1, 'must name an API; write its identifier as Auth0 shows it, like https://orders.example.com')
    .describe('Identifiers of the APIs whose scopes count; a rule names one of them under api.'),
  eventStream: toggle()
    .prefault(false)
    .describe(
      "Whether scopemesh reads the tenant's event stream, which reports changes of users and groups.",
    ),
});

export type Auth0Settings = SettingsOf<z.output<typeof AUTH0>>;
