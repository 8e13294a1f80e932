import { z } from 'zod';
import { duration, name, secret, text, toggle, url } from './fields.js';

const PLANNED_KINDS: readonly unknown[] = ['okta', 'entra', 'auth0'];

const WEBHOOK = z
  .strictObject({
    secrets: z
      .array(secret())
      .min(1, 'must hold at least one secret; several are accepted during a rotation'),
  })
  .describe('Events come to POST /events/<name>; each secret is tried in turn.');

const CLAIM_NAMES = z
  .strictObject({
    client: text().exactOptional(),
    scopes: text().exactOptional(),
    groups: text().exactOptional(),
  })
  .describe('Which claims of an access token hold the client id, the scopes and the groups.');

const everyKind = {
  name: name().describe('The name of this provider in mappings, keys and the webhook path.'),
  issuer: url('https:', 'http:').describe(
    'The issuer as it stands in tokens; plain http on loopback hosts only.',
  ),
  insecure: toggle().prefault(false).describe('Allows plain http to hosts that are not loopback.'),
  webhook: WEBHOOK.exactOptional(),
  poll: duration('100ms', '1d')
    .prefault('30s')
    .describe('The backstop for what a webhook cannot carry or loses.'),
  fullRead: duration('1s', '30d').prefault('1h').describe('How often the directory is compared completely.'),
  audience: text().exactOptional().describe('What a token must be issued for to count in Consul.'),
  claims: CLAIM_NAMES.exactOptional(),
};

export const KEYCLOAK = z.strictObject({
  kind: z.literal('keycloak'),
  ...everyKind,
  clientId: text().describe('The client as which the Admin REST API is read.'),
  clientSecret: secret(),
  serviceAccountRoles: toggle()
    .prefault(false)
    .describe('Whether roles of service accounts count as scopes.'),
});

export const OIDC = z.strictObject({
  kind: z.literal('oidc'),
  ...everyKind,
  directory: text().describe('The JSON document of the clients: a file, or an http(s) URL.'),
  directoryToken: secret({ mayBeEmpty: true })
    .exactOptional()
    .describe('Sent to the directory as a bearer token.'),
});

export const PROVIDER = z.discriminatedUnion('kind', [KEYCLOAK, OIDC], {
  error: ({ input }) =>
    isPlannedKind(input) ? 'this kind of provider is not built yet; use one of: keycloak, oidc' : undefined,
});

function isPlannedKind(input: unknown): boolean {
  return typeof input === 'object' && input !== null && 'kind' in input && PLANNED_KINDS.includes(input.kind);
}
