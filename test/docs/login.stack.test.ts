import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed } from '../stack/installed.js';
import { KEYCLOAK_ADMIN, type KeycloakHandle, startKeycloak } from '../stack/keycloak.js';
import { Browser } from '../support/browser.js';
import { blocks, textOf } from './manual.js';

const PERSON = { username: 'ann', password: 'a password' };

let keycloak: KeycloakHandle;
let directory: string;

beforeAll(async () => {
  keycloak = await startKeycloak();
  directory = await mkdtemp(join(tmpdir(), 'scopemesh-login-docs-'));
  await keycloak.admin.createRealm('main');
  await keycloak.admin.request('POST', '/main/users', {
    username: PERSON.username,
    enabled: true,
    email: 'ann@example.com',
    firstName: 'Ann',
    lastName: 'Example',
    credentials: [{ type: 'password', value: PERSON.password, temporary: false }],
  });
});
afterAll(async () => {
  await keycloak?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** The lines of a page on this machine: its `kcadm.sh`, and the address of this Keycloak. */
async function shell(script: string): Promise<string> {
  const kcadm = join(await installed('keycloak'), 'bin', 'kcadm.sh');
  const defined = [
    'set -euo pipefail',
    `kcadm.sh() { "${kcadm}" "$@" --config "${join(directory, 'kcadm.config')}"; }`,
    script.replaceAll('https://sso.example.com', keycloak.address),
  ].join('\n');
  const env = {
    ...process.env,
    JAVA_HOME: await installed('java'),
    // Each call starts a machine of its own; this halves the time.
    KC_OPTS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
    KEYCLOAK_ADMIN_PASSWORD: KEYCLOAK_ADMIN.password,
  };
  const ran = promisify(execFile)('bash', ['-c', defined], { cwd: directory, env, timeout: 290_000 });
  return (await ran).stdout.trim();
}

async function claimsOf(file: string): Promise<Record<string, unknown>> {
  const [, payload = ''] = (await readFile(join(directory, file), 'utf8')).split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString());
}

/** Opens the address that the device flow printed, signs in and agrees. */
async function signIn(): Promise<void> {
  const file = join(directory, 'device.json');
  await expect.poll(() => existsSync(file) && readFile(file, 'utf8'), { timeout: 30_000 }).toMatch(/\}\s*$/);
  const { verification_uri_complete } = JSON.parse(await readFile(file, 'utf8'));
  const browser = new Browser();
  const login = await browser.open(verification_uri_complete);
  const consent = await browser.submit(login, PERSON);
  await browser.submit(consent, { accept: 'Yes' });
}

describe('the lines of keycloak.md and of the pages about logins', () => {
  it('set Keycloak up, its webhook too', async () => {
    const { username, password } = KEYCLOAK_ADMIN;
    const [login = '', ...lines] = blocks(textOf('docs/providers/keycloak.md'), 'sh');
    await shell(`${login.trim()} --password ${password}`);
    expect(login).toContain(`--user ${username}`);
    expect(lines.length).toBeGreaterThan(10);
    await shell(lines.join('\n'));
    expect(await keycloak.admin.request('GET', '/main/clients?clientId=scopemesh')).toHaveLength(1);
    expect(await keycloak.admin.request('GET', '/main/groups?search=platform-oncall')).toHaveLength(1);
  }, 300_000);

  it('give a client a token with the audience if it requests the scope, and without it otherwise', async () => {
    const lines = blocks(textOf('docs/how-to/log-in-to-consul.md'), 'sh').join('\n');
    const [token = ''] = /umask 077\ncurl .*?> access-token/s.exec(lines) ?? [];
    const secret =
      'WEB_APP_SECRET="$(kcadm.sh get clients/$(cat web-app.id)/client-secret -r main --fields value --format csv --noquotes)"';
    await shell(`${secret}\n${token}`);
    const claims = await claimsOf('access-token');
    expect([claims.aud].flat()).toContain('consul');
    expect(claims).toMatchObject({ azp: 'web-app', client_id: 'web-app' });

    await shell(`${secret}\n${token.replace(' -d scope=consul', '')}`);
    expect([(await claimsOf('access-token')).aud].flat()).not.toContain('consul');
  });

  it('give a person a token with the audience and the group as the mapping names it', async () => {
    const page = textOf('docs/how-to/log-in-as-a-person.md');
    const lines = blocks(page, 'sh').find((each) => each.includes('auth/device')) ?? '';
    await Promise.all([shell(lines), signIn()]);
    const claims = await claimsOf('access-token');
    expect([claims.aud].flat()).toContain('consul');
    const [, group = ''] = /^groups:\n {2}([^:]+):/m.exec(page) ?? [];
    expect(claims).toMatchObject({ azp: 'consul-cli', groups: expect.arrayContaining([group]) });

    const shown = blocks(page, 'sh').find((each) => each.includes('base64')) ?? '';
    expect(JSON.parse(await shell(shown))).toMatchObject({ groups: expect.arrayContaining([group]) });
  });
});
