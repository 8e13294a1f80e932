import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed } from '../stack/installed.js';
import { KEYCLOAK_ADMIN, type KeycloakHandle, startKeycloak } from '../stack/keycloak.js';
import { blocks, textOf } from './manual.js';

const SECRET = 'web-app-secret';

let keycloak: KeycloakHandle;
let directory: string;

beforeAll(async () => {
  keycloak = await startKeycloak();
  directory = await mkdtemp(join(tmpdir(), 'scopemesh-login-docs-'));
  await keycloak.admin.createRealm('main');
  const id = await keycloak.admin.createClient('main', 'web-app', { secret: SECRET });
  await writeFile(join(directory, 'web-app.id'), id);
});
afterAll(async () => {
  await keycloak?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** The lines of a page on this machine: its `kcadm.sh` and `consul`, and the address of this Keycloak. */
async function shell(script: string): Promise<string> {
  const kcadm = join(await installed('keycloak'), 'bin', 'kcadm.sh');
  const defined = [
    'set -euo pipefail',
    `kcadm.sh() { "${kcadm}" "$@" --config "${join(directory, 'kcadm.config')}"; }`,
    script.replaceAll('https://sso.example.com', keycloak.address),
  ].join('\n');
  const env = { ...process.env, JAVA_HOME: await installed('java'), WEB_APP_SECRET: SECRET };
  const ran = promisify(execFile)('bash', ['-c', defined], { cwd: directory, env, timeout: 90_000 });
  return (await ran).stdout;
}

describe('what login.md says of Keycloak', () => {
  it('gives its access tokens the audience that Consul asks for', async () => {
    const { username, password } = KEYCLOAK_ADMIN;
    await shell(
      `kcadm.sh config credentials --server https://sso.example.com --realm master --user ${username} --password ${password}`,
    );
    const scripts = blocks(textOf('docs/login.md'), 'sh');
    const audience = scripts.find((each) => each.includes('oidc-audience-mapper')) ?? '';
    const [token = ''] = /umask 077\ncurl .*?> access-token/s.exec(scripts.join('\n')) ?? [];
    await shell(audience);
    await shell(token);
    const jwt = await shell('cat access-token');
    const claims = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
    expect([claims.aud].flat()).toContain('consul');
    expect(claims).toMatchObject({ azp: 'web-app', client_id: 'web-app' });
  });
});
