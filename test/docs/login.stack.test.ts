import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { installed } from '../stack/installed.js';
import { KEYCLOAK_ADMIN, type KeycloakHandle, startKeycloak } from '../stack/keycloak.js';
import { Browser } from '../support/browser.js';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { blocks, textOf } from './manual.js';

const PERSON = { username: 'ann', password: 'a password' };

let keycloak: KeycloakHandle;
let consul: ConsulHandle;
let commandLine: CommandLine;
let directory: string;

beforeAll(async () => {
  [keycloak, consul] = await Promise.all([startKeycloak(), startConsul()]);
  commandLine = createCommandLine({
    consul: { address: consul.httpAddress, managementToken: consul.managementToken },
  });
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
  commandLine?.close();
  await Promise.all([keycloak?.stop(), consul?.stop()]);
  await rm(directory, { recursive: true, force: true });
});

/** The lines of a page on this machine: its `kcadm.sh` and `consul`, and the address of this Keycloak. */
async function shell(script: string): Promise<string> {
  const kcadm = join(await installed('keycloak'), 'bin', 'kcadm.sh');
  const defined = [
    'set -euo pipefail',
    `kcadm.sh() { "${kcadm}" "$@" --config "${join(directory, 'kcadm.config')}"; }`,
    'consul() { "$CONSUL" "$@"; }',
    script.replaceAll('https://sso.example.com', keycloak.address),
  ].join('\n');
  const env = {
    ...process.env,
    JAVA_HOME: await installed('java'),
    // Each call starts a machine of its own; this halves the time.
    KC_OPTS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
    CONSUL: consul.binary,
    CONSUL_HTTP_ADDR: consul.httpAddress,
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

  it('give a client a token that logs in to Consul only if it requests the scope', async () => {
    const page = textOf('docs/how-to/log-in-to-consul.md');
    const people = textOf('docs/how-to/log-in-as-a-person.md');
    const { admin } = keycloak;
    await admin.createClientScope('main', 'config:read');
    await admin.addScope('main', 'web-app', 'config:read');
    await consul.request('PUT', '/v1/kv/config/limits', 100);
    await consul.request('PUT', '/v1/agent/service/register', {
      Name: 'web',
      Meta: { 'oauth-client-id': 'web-app' },
    });
    const [settings = ''] = blocks(page, 'yaml');
    const [groups = ''] = blocks(people, 'yaml');
    commandLine.configure(
      parse(`${settings}${groups}`.replaceAll('https://sso.example.com', keycloak.address)),
    );
    const secretOf = (client: string) =>
      shell(
        `kcadm.sh get clients/$(cat ${client}.id)/client-secret -r main --fields value --format csv --noquotes`,
      );
    const environment = { KEYCLOAK_CLIENT_SECRET: await secretOf('scopemesh') };
    const applied = await commandLine.run(['apply', '--yes'], { environment });
    expect(applied, applied.err).toMatchObject({ status: 0 });

    const [lines = ''] = blocks(page, 'sh');
    const secret = `WEB_APP_SECRET=${await secretOf('web-app')}\n`;
    const [token = ''] = /umask 077\ncurl .*?> access-token/s.exec(lines) ?? [];
    await shell(`${secret}${token}`);
    const claims = await claimsOf('access-token');
    expect([claims.aud].flat()).toContain('consul');
    expect(claims).toMatchObject({ azp: 'web-app', client_id: 'web-app' });
    expect(await shell(`${secret}${lines}`)).toBe('100');

    await expect(shell(`${secret}${lines.replace(' -d scope=consul', '')}`)).rejects.toThrow(/403|audience/);
  });

  it('give a person a token that logs in to Consul by the group as the mapping names it', async () => {
    const page = textOf('docs/how-to/log-in-as-a-person.md');
    const scripts = blocks(page, 'sh');
    const scriptWith = (words: string) => scripts.find((each) => each.includes(words)) ?? '';
    await Promise.all([shell(scriptWith('auth/device')), signIn()]);
    const claims = await claimsOf('access-token');
    expect([claims.aud].flat()).toContain('consul');
    expect(claims).toMatchObject({ azp: 'consul-cli', groups: expect.arrayContaining(['/platform-oncall']) });
    expect(JSON.parse(await shell(`set +o pipefail\n${scriptWith('base64')}`))).toMatchObject({
      sub: claims.sub,
    });
    expect(await shell(scriptWith('_people'))).toContain('web');
  });
});
