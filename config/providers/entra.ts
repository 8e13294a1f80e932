import { z } from 'zod';
import { definedFields } from '../../src/model/defined-fields.js';
import { parseUrl, secret, text, url } from '../fields.js';
import { everyKind, toSettings, webhookSecrets } from './any-provider.js';

export type EntraSettings = ReturnType<typeof toEntra>;

/** Login hosts and Graph of each cloud (https://learn.microsoft.com/graph/deployments). */
const CLOUDS = {
  global: { login: 'login.microsoftonline.com', graph: 'https://graph.microsoft.com' },
  usgov: { login: 'login.microsoftonline.us', graph: 'https://graph.microsoft.us' },
  dod: { login: 'login.microsoftonline.us', graph: 'https://dod-graph.microsoft.us' },
  china: { login: 'login.partner.microsoftonline.cn', graph: 'https://microsoftgraph.chinacloudapi.cn' },
} as const;

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const CERTIFICATE = z
  .strictObject({
    certFile: text().describe(
      'A certificate of the app registration, in PEM. It is read again for each token.',
    ),
    keyFile: text().describe('Its RSA key, in PEM.'),
  })
  .describe('A certificate that proves scopemesh to the tenant.');

const WEBHOOK = z
  .strictObject({
    url: url('https:', 'http:')
      .refine(isEncryptedOrHere, 'is plain http, and Microsoft Graph sends only to https; write https://…')
      .describe(
        'This webhook as Microsoft Graph reaches it, like https://scopemesh.example.com/events/main; with it scopemesh subscribes to users and groups.',
      ),
    secrets: webhookSecrets(
      secret().refine(
        (value) => value.reveal().length <= 128,
        'is more than Microsoft Graph can carry; use at most 128 characters',
      ),
    ),
  })
  .describe('The first secret is the clientState of the subscriptions; each is accepted.');

export const ENTRA = z
  .strictObject({
    kind: z.literal('entra'),
    ...everyKind,
    issuer: everyKind.issuer
      .refine((value) => {
        const parts = parseUrl(value)?.pathname.split('/') ?? [];
        return parts.length === 3 && GUID.test(parts[1] ?? '') && parts[2] === 'v2.0';
      }, "is not the issuer of a single tenant; write https://login.microsoftonline.com/<tenant id>/v2.0 with the tenant's id")
      .describe('https://login.microsoftonline.com/<tenant id>/v2.0, or the login host of another cloud.'),
    webhook: WEBHOOK.exactOptional(),
    clientId: text()
      .regex(GUID, 'must be the application (client) id; write it as the app registration shows it')
      .describe('The app registration that scopemesh uses to read Microsoft Graph.'),
    clientSecret: secret()
      .exactOptional()
      .describe('A client secret; or certificate, or federatedTokenFile.'),
    certificate: CERTIFICATE.exactOptional(),
    federatedTokenFile: text()
      .exactOptional()
      .describe('A file with a token that a federated credential trusts. It is read again for each token.'),
    cloud: z
      .enum(['global', 'usgov', 'dod', 'china'], 'must be global, usgov, dod or china')
      .prefault('global')
      .describe('Which Microsoft Graph belongs to the tenant.'),
    graph: url('https:', 'http:')
      .exactOptional()
      .describe('The origin of Microsoft Graph, if it differs from that of the cloud.'),
    apis: z
      .array(text())
      .min(1, 'must name an API; write the application (client) id of its app registration')
      .describe(
        'The APIs whose app roles and scopes count, each by its application (client) id or an identifier URI; a rule names one of them under api.',
      ),
  })
  .superRefine((parsed, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const credentials = [parsed.clientSecret, parsed.certificate, parsed.federatedTokenFile];
    if (credentials.filter((each) => each !== undefined).length !== 1)
      fault(
        'clientId',
        'needs exactly one credential; write clientSecret, certificate or federatedTokenFile',
      );
    const host = parseUrl(parsed.issuer)?.hostname;
    const { login } = CLOUDS[parsed.cloud];
    if (parsed.graph === undefined && host !== undefined && host !== login)
      fault('issuer', `is not at the login host of this cloud; write https://${login}/…, or another cloud`);
    if (parsed.graph !== undefined && !parsed.insecure && !isEncryptedOrHere(parsed.graph))
      fault('graph', 'is plain http on another machine; use https, or set "insecure: true" on this provider');
  });

function isEncryptedOrHere(address: string): boolean {
  return /^https:|^http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])(?=[:/]|$)/.test(address);
}

/** `absolute` completes the paths of files. */
export function toEntra(parsed: z.output<typeof ENTRA>, absolute: (path: string) => string) {
  const {
    clientSecret: _,
    certificate: __,
    federatedTokenFile: ___,
    cloud,
    ...settings
  } = toSettings(parsed);
  return {
    ...settings,
    credential: toCredential(parsed, absolute),
    graph: parsed.graph ?? CLOUDS[cloud].graph,
    ...definedFields({ webhookUrl: parsed.webhook?.url }),
  };
}

function toCredential(parsed: z.output<typeof ENTRA>, absolute: (path: string) => string) {
  const { clientSecret, certificate, federatedTokenFile } = parsed;
  if (clientSecret !== undefined) return { kind: 'secret' as const, clientSecret };
  if (certificate !== undefined) {
    const { certFile, keyFile } = certificate;
    return { kind: 'certificate' as const, certFile: absolute(certFile), keyFile: absolute(keyFile) };
  }
  return { kind: 'federated' as const, assertionFile: absolute(federatedTokenFile ?? '') };
}
