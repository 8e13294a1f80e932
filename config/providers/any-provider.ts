import { z } from 'zod';
import { definedFields } from '../../src/model/defined-fields.js';
import type { Secret } from '../../src/model/secret.js';
import { duration, name, secret, text, toggle, url } from '../fields.js';
import { SSF, type SsfSettings, toSsf } from './ssf.js';

export const webhookSecrets = (each = secret()) =>
  z.array(each).min(1, 'must hold at least one secret; several are accepted during a rotation');

const WEBHOOK = z
  .strictObject({ secrets: webhookSecrets() })
  .describe('Events come to POST /events/<name>; each secret is tried in turn.');

const CLAIM_NAMES = z
  .strictObject({
    client: text().exactOptional(),
    scopes: text().exactOptional(),
    groups: text().exactOptional(),
  })
  .describe('Which claims of an access token hold the client id, the scopes and the groups.');

export const everyKind = {
  name: name().describe('The name of this provider in mappings, keys and the webhook path.'),
  issuer: url('https:', 'http:').describe('The issuer as tokens name it; plain http only on loopback hosts.'),
  insecure: toggle().prefault(false).describe('Allows plain http to hosts other than loopback.'),
  webhook: WEBHOOK.exactOptional(),
  poll: duration('100ms', '1d')
    .prefault('30s')
    .describe('How often events are polled, for changes that a webhook cannot deliver or loses.'),
  fullRead: duration('1s', '30d').prefault('1h').describe('How often the whole directory is compared.'),
  audience: text().exactOptional().describe('The audience that a token needs to log in to Consul.'),
  userAudience: text()
    .exactOptional()
    .describe("With user: required, the audience that a user's token needs."),
  caFile: text()
    .exactOptional()
    .describe('A file with the CA certificates of its server, if a public CA did not sign it.'),
  keysCaFile: text()
    .refine(
      (path) => path.startsWith('/'),
      'must be a path from the root; write for example /etc/ssl/certs/ca-certificates.crt',
    )
    .exactOptional()
    .describe('With user: required, the CA file with which proxies verify the server of the signing keys.'),
  forwardUserAs: text()
    .refine(
      (header) =>
        /^x-[a-z0-9-]{1,61}$/.test(header) && !/^x-(envoy|forwarded|consul|request-id)/.test(header),
      'must be a header of your own in lower case; write for example x-user-claims',
    )
    .exactOptional()
    .describe(
      "With user: required, the header in which the called service gets the claims of the user's token.",
    ),
  claims: CLAIM_NAMES.exactOptional(),
  ssf: SSF.exactOptional(),
};

const EVERY_KIND = z.strictObject(everyKind);

/** The claims of each kind; the file can override them. */
const CLAIMS = {
  auth0: { client: 'azp', scopes: 'scope', groups: 'groups' },
  entra: { client: 'azp', scopes: 'scp', groups: 'groups' },
  keycloak: { client: 'azp', scopes: 'scope', groups: 'groups' },
  oidc: { client: 'client_id', scopes: 'scope', groups: 'groups' },
  okta: { client: 'cid', scopes: 'scp', groups: 'groups' },
} as const;

type Parsed = z.output<typeof EVERY_KIND> & { readonly kind: keyof typeof CLAIMS };

/** Every other key of a provider is a setting under its own name. */
export type SettingsOf<P> = Omit<P, 'webhook' | 'poll' | 'fullRead' | 'claims' | 'ssf'> & {
  /**
   * Empty if no webhook is configured. A reload changes this list in place where an adapter has it, so adapters read it for
   * each request.
   */
  readonly webhookSecrets: readonly Secret[];
  readonly pollMs: number;
  readonly fullReadMs: number;
  /**
   * The APIs whose scopes count, by their names in rules. A rule without an API means the only one, except in Keycloak,
   * where scopes need no API.
   */
  readonly apis?: readonly string[];
  readonly claims: { readonly client: string; readonly scopes: string; readonly groups: string };
  readonly ssf?: SsfSettings;
  /** The certificates in `caFile`. */
  readonly caCert?: string;
};

export function toSettings<P extends Parsed>(parsed: P): SettingsOf<P> {
  const { webhook, poll, fullRead, claims, ssf, ...own } = parsed;
  return {
    ...own,
    webhookSecrets: webhook?.secrets ?? [],
    pollMs: poll,
    fullReadMs: fullRead,
    claims: { ...CLAIMS[parsed.kind], ...claims },
    ...definedFields({ ssf: ssf && toSsf(ssf) }),
  };
}
