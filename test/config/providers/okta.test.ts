import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../../config/load.js';
import type { OktaSettings } from '../../../config/providers/okta.js';

const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const ISSUER = 'https://acme.okta.com/oauth2/default';
// biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration file
const KEY_FILE = '${file:okta.pem}';

const load = async (keys: Readonly<Record<string, unknown>>): Promise<OktaSettings> => {
  const text = stringify({
    owner: 'payments',
    mode: 'observe',
    consul: { address: 'http://127.0.0.1:8500' },
    providers: [{ name: 'main', kind: 'okta', issuer: ISSUER, apis: ['api://orders'], ...keys }],
    scopes: { 'orders:read': { to: 'orders' } },
  });
  const readFile = async (path: string) => (path.endsWith('okta.pem') ? PEM : text);
  const { config } = await loadConfig({ path: '/etc/scopemesh.yaml', environment: {}, readFile });
  const [provider] = config.providers;
  if (provider?.kind !== 'okta') throw new Error('another kind');
  return provider;
};
const faults = async (keys: Readonly<Record<string, unknown>>): Promise<string> =>
  load(keys).then(
    () => 'none',
    (error: unknown) => String(error),
  );

describe('a provider of the kind okta', () => {
  it('takes a key of several lines from a file, and keeps it secret', async () => {
    const settings = await load({ clientId: '0oa1', privateKey: KEY_FILE, keyId: 'k1' });
    expect(settings).toMatchObject({
      kind: 'okta',
      issuer: ISSUER,
      apis: ['api://orders'],
      claims: { client: 'cid', scopes: 'scp', groups: 'groups' },
    });
    const { credentials } = settings;
    expect('privateKey' in credentials && credentials.privateKey.reveal().trim()).toBe(PEM.trim());
    expect(JSON.stringify(settings)).not.toContain('PRIVATE KEY');
  });

  it('takes an API token instead', async () => {
    const { credentials } = await load({ apiToken: '00token' });
    expect('apiToken' in credentials && credentials.apiToken.reveal()).toBe('00token');
  });

  it.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ['no way to log in', {}, /clientId: is missing/],
    ['a client without a key', { clientId: '0oa1' }, /privateKey: is missing/],
    [
      'two ways to log in',
      { clientId: '0oa1', privateKey: KEY_FILE, apiToken: 'x' },
      /apiToken: cannot be combined with/,
    ],
    ['an invalid key', { clientId: '0oa1', privateKey: 'hunter2' }, /privateKey: must be a private key/],
    [
      'the org as issuer',
      { apiToken: 'x', issuer: 'https://acme.okta.com' },
      /issuer: must be that of a custom/,
    ],
    ['a path in the org', { apiToken: 'x', org: 'https://acme.okta.com/api' }, /org: must be the address/],
    ['plain http to the org', { apiToken: 'x', org: 'http://acme.okta.com' }, /org: plain http/],
    ['no API', { apiToken: 'x', apis: [] }, /apis: must name an API/],
    ['an unknown key', { apiToken: 'x', clientSecret: 'x' }, /clientSecret: unknown key/],
  ])('is refused with %s', async (_, keys, fault) => {
    const said = await faults(keys);
    expect(said).toMatch(fault);
    expect(said).not.toContain('hunter2');
  });
});
