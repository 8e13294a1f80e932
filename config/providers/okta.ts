import { z } from 'zod';
import { definedFields } from '../../src/model/defined-fields.js';
import { Secret } from '../../src/model/secret.js';
import { parseUrl, secret, text, toggle, url } from '../fields.js';
import { everyKind, toSettings } from './any-provider.js';

export type OktaSettings = ReturnType<typeof toOkta>;

/** A private key may have several lines, unlike other secrets. */
const privateKey = z
  .string()
  .max(16_384, 'is longer than 16384 characters')
  .regex(
    /^\s*(-----BEGIN [A-Z ]*PRIVATE KEY-----|\{)/,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shows how a reference is written
    'must be a private key in PEM or as a JWK; give it through ${file:PATH}',
  )
  .transform((value) => new Secret(value));

export const OKTA = z
  .strictObject({
    kind: z.literal('okta'),
    ...everyKind,
    issuer: url('https:', 'http:').describe(
      'The issuer of a custom authorization server as tokens name it: https://acme.okta.com/oauth2/default',
    ),
    org: url('https:', 'http:')
      .exactOptional()
      .describe("The address of the Okta API: https://acme.okta.com. By default the issuer's host."),
    clientId: text().exactOptional().describe('The service app that scopemesh uses to read the Okta API.'),
    privateKey: privateKey
      .exactOptional()
      .describe('Its private key, in PEM (PKCS #8) or as a JWK; for private_key_jwt.'),
    keyId: text().exactOptional().describe('The kid of its public key, if the key itself does not have one.'),
    apiToken: secret()
      .exactOptional()
      .describe("An administrator's API token (SSWS), instead of clientId and privateKey; only a fallback."),
    apis: z
      .array(text())
      .min(1, 'must name an API; write the issuer, audience or id of an authorization server')
      .describe(
        "The APIs whose scopes count: authorization servers, each by its issuer, audience or ID, and the org's own address for Okta API scopes. A rule names one of them under api.",
      ),
    aiAgents: toggle()
      .prefault(false)
      .describe(
        'Whether scopemesh reads the register of AI agents, so that clients in it count as agents. Needs Okta for AI Agents and the role SUPER_ADMIN.',
      ),
  })
  .superRefine((provider, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const { clientId, privateKey: key, keyId, apiToken, issuer, org } = provider;
    if (apiToken === undefined) {
      const missing = clientId === undefined ? 'clientId' : key === undefined ? 'privateKey' : undefined;
      if (missing !== undefined) fault(missing, 'is missing; write both clientId and privateKey');
    } else if (clientId !== undefined || key !== undefined || keyId !== undefined) {
      fault('apiToken', 'cannot be combined with clientId or a key; keep one of them, preferably the key');
    }
    if (!/^\/oauth2\/[A-Za-z0-9_-]+\/?$/.test(parseUrl(issuer)?.pathname ?? '')) {
      fault(
        'issuer',
        'must be that of a custom authorization server; write https://…/oauth2/default or its id',
      );
    }
    if (org !== undefined && parseUrl(org)?.pathname !== '/') {
      fault('org', 'must be the address of the org alone; write https://acme.okta.com');
    }
  });

export function toOkta(parsed: z.output<typeof OKTA>) {
  const { clientId = '', privateKey: key, keyId, apiToken, ...settings } = toSettings(parsed);
  if (apiToken !== undefined) return { ...settings, credentials: { apiToken } };
  const credentials = { clientId, privateKey: key ?? new Secret(''), ...definedFields({ keyId }) };
  return { ...settings, credentials };
}
