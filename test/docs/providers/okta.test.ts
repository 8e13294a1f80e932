import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../config/load.js';
import { parseOrg } from '../../../src/identity/okta/api.js';
import { authenticateByKey } from '../../../src/identity/okta/client-authentication.js';
import { HOOK_TYPES } from '../../../src/identity/okta/event-types.js';
import { Secret } from '../../../src/model/secret.js';

const run = promisify(execFile);

describe('docs/providers/okta.md', async () => {
  const text = await readFile(new URL('../../../docs/providers/okta.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, content = '']) => ({
    language,
    content,
  }));
  const block = (words: string): string => {
    const found = blocks.find(({ content }) => content.includes(words));
    if (found === undefined) throw new Error(`no block with ${words}`);
    return found.content;
  };

  it('subscribes its hook to every relevant type that Okta can send', () => {
    const types = [...block('eventHooks').matchAll(/"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"/g)].map(
      ([, type]) => type,
    );
    expect(types.filter((type) => type !== '1.0.0').sort()).toEqual([...HOOK_TYPES].sort());
  });

  it('creates a key with one half for scopemesh and the other for Okta', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'scopemesh-okta-'));
    try {
      await run('sh', ['-ec', block('openssl genpkey')], { cwd: directory });
      const privateKey = new Secret(await readFile(join(directory, 'okta.pem'), 'utf8'));
      const org = parseOrg('https://acme.okta.com/oauth2/default', undefined);
      expect(authenticateByKey({ privateKey, keyId: 'scopemesh' }, org)).toBeTypeOf('function');
      const jwk = JSON.parse(await readFile(join(directory, 'okta.jwk'), 'utf8'));
      expect(jwk).toMatchObject({ kty: 'EC', crv: 'P-256', kid: 'scopemesh', alg: 'ES256' });
      expect(jwk).not.toHaveProperty('d');
      const { credentials } = await load(await readFile(join(directory, 'okta.pem'), 'utf8'));
      expect('clientId' in credentials).toBe(true);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  async function load(pem: string) {
    const file = `owner: payments\nmode: observe\nconsul: { address: "http://127.0.0.1:8500" }\n${block('kind: okta')}`;
    const { config } = await loadConfig({
      path: '/etc/scopemesh.yaml',
      environment: {},
      readFile: async (path) => (path.endsWith('.pem') ? pem : file),
    });
    const [provider] = config.providers;
    if (provider?.kind !== 'okta') throw new Error('no Okta provider');
    return provider;
  }
});
