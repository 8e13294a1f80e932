import { describe, expect, it } from 'vitest';
import { toAclSettings } from '../../../config/acl-settings.js';
import type { EntraSettings } from '../../../config/providers/entra.js';
import { faultsOf, fileWith, loadText } from '../load-text.js';

const GUID = '8b5f2a10-7c0d-4f6e-9a1b-2c3d4e5f6a7b';
const fileOf = (rest: string, login = 'login.microsoftonline.com') =>
  fileWith(
    `providers: [{ name: main, kind: entra, issuer: "https://${login}/${GUID}/v2.0", clientId: ${GUID}, apis: ["api://orders"], ${rest} }]`,
    'providers',
  );

async function settingsOf(rest: string, login?: string): Promise<EntraSettings> {
  const config = await loadText(fileOf(rest, login));
  const [settings] = config.providers;
  if (settings?.kind !== 'entra') throw new Error('no Entra provider');
  return settings;
}

describe('A provider of the kind entra', () => {
  it.each([
    ['', 'login.microsoftonline.com', 'https://graph.microsoft.com'],
    ['cloud: usgov,', 'login.microsoftonline.us', 'https://graph.microsoft.us'],
    ['cloud: dod,', 'login.microsoftonline.us', 'https://dod-graph.microsoft.us'],
    ['cloud: china,', 'login.partner.microsoftonline.cn', 'https://microsoftgraph.chinacloudapi.cn'],
    ['graph: "https://proxy.example.com",', 'login.example.com', 'https://proxy.example.com'],
  ])('with "%s" at %s reads %s', async (cloud, login, graph) => {
    expect((await settingsOf(`${cloud} clientSecret: s`, login)).graph).toBe(graph);
  });

  it('reads no Graph of another machine without TLS, unless that is allowed', async () => {
    const [fault] = await faultsOf(fileOf('graph: "http://graph.example.com", clientSecret: s'));
    expect(fault).toContain('providers[0].graph: is plain http on another machine');
    const allowed = await settingsOf('graph: "http://graph.example.com", insecure: on, clientSecret: s');
    expect(allowed.graph).toBe('http://graph.example.com');
    expect((await settingsOf('graph: "http://127.0.0.1:8080", clientSecret: s')).graph).toContain(
      '127.0.0.1',
    );
  });

  it('proves itself by exactly one credential, whose files are found beside the configuration', async () => {
    expect((await settingsOf('clientSecret: s')).credential.kind).toBe('secret');
    const certificate = await settingsOf('certificate: { certFile: c.pem, keyFile: /k.pem }');
    expect(certificate.credential).toEqual({
      kind: 'certificate',
      certFile: expect.stringMatching(/^\/.*\/c\.pem$/),
      keyFile: '/k.pem',
    });
    const federated = await settingsOf('federatedTokenFile: /var/run/token');
    expect(federated.credential).toEqual({ kind: 'federated', assertionFile: '/var/run/token' });
    expect(await faultsOf(fileOf('poll: 30s'))).toEqual([expect.stringContaining('exactly one credential')]);
  });

  it('has a webhook address with TLS, and secrets that fit into a clientState', async () => {
    const webhook = (url: string, secret: string) =>
      `clientSecret: s, webhook: { url: "${url}", secrets: ["${secret}"] }`;
    const settings = await settingsOf(webhook('https://scopemesh.example.com/events/main', 'x'));
    expect(settings.webhookUrl).toBe('https://scopemesh.example.com/events/main');
    expect(await faultsOf(fileOf(webhook('http://scopemesh.example.com/', 'x')))).toHaveLength(1);
    const long = await faultsOf(fileOf(webhook('https://scopemesh.example.com/', 'x'.repeat(129))));
    expect(long).toEqual([expect.stringContaining('128 characters')]);
    const empty = await faultsOf(fileOf(webhook('https://scopemesh.example.com/', '')));
    expect(empty).toEqual([expect.stringContaining('must not be empty')]);
  });

  it('identifies people by oid, and distinguishes their tokens from those of clients by idtyp', async () => {
    const config = await loadText(fileOf('clientSecret: s, audience: consul'));
    expect(toAclSettings(config).providers.get('main')).toMatchObject({
      claims: { client: ['azp'], subject: ['oid'], groups: ['groups'] },
      ownToken: { claim: ['idtyp'], equals: 'app' },
      person: { claim: ['idtyp'], equals: 'user' },
    });
  });
});
