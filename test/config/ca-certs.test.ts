import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.js';
import { toMapping } from '../../config/mapping-revision.js';
import { selfSigned } from '../support/entra/certificate.js';

const { certificate, key } = selfSigned();

/** A file whose provider has this `caFile`, beside files with these texts. */
async function load(caFile: string, files: Readonly<Record<string, string>>) {
  const file = {
    ...{ owner: 'payments', mode: 'enforce', consul: { address: 'http://127.0.0.1:8500' } },
    providers: [
      {
        ...{ name: 'main', kind: 'keycloak', issuer: 'https://sso.example.com/realms/main', caFile },
        ...{ clientId: 'scopemesh', clientSecret: 's', audience: 'consul' },
      },
    ],
    scopes: {},
  };
  const all: Readonly<Record<string, string>> = { '/etc/scopemesh.yaml': JSON.stringify(file), ...files };
  return loadConfig({
    path: '/etc/scopemesh.yaml',
    environment: {},
    readFile: async (path) => {
      const text = all[path];
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return text;
    },
  });
}

describe('caFile', () => {
  it('is read beside the configuration, and only its certificates are kept', async () => {
    const text = `# company\n${certificate}\n${certificate}`;
    const { config } = await load('ca.pem', { '/etc/ca.pem': text });
    expect(config.providers[0]).toMatchObject({ caFile: '/etc/ca.pem', caCert: certificate + certificate });
    // Consul reads the same provider's keys when a client or a person logs in.
    expect(toMapping(config).acl.providers.get('main')?.caCert).toBe(certificate + certificate);
    const withKey = await load('/ca.pem', { '/ca.pem': key + certificate });
    expect(JSON.stringify(withKey.config)).not.toContain('PRIVATE KEY');
  });

  it.each([
    ['is missing', {}, 'names a file that cannot be read (ENOENT); check its path and permissions'],
    [
      'is garbage',
      { '/ca.pem': 'garbage' },
      'names a file without a valid certificate; write a file with CA',
    ],
    ['is a key', { '/ca.pem': key }, 'names a file without a valid certificate'],
    [
      'has a certificate that is cut',
      { '/ca.pem': certificate + certificate.replace(/\n.{64}\n/, '\n') },
      'names a file without a valid certificate',
    ],
    [
      'is a whole bundle',
      { '/ca.pem': certificate.repeat(100) },
      'names more than 32768 bytes of certificates',
    ],
  ])('that %s is a fault of the file', async (_, files, fault) => {
    await expect(load('/ca.pem', files)).rejects.toThrow(`providers[0].caFile: ${fault}`);
  });
});
