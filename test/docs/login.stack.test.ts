import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { BUILT, type Scopemesh, startScopemesh } from '../e2e/scopemesh.js';
import { connectKeycloak, type KeycloakOfRun } from '../stack/connect-keycloak.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { type Mesh, startMesh } from '../stack/envoy.js';
import { installed } from '../stack/installed.js';
import { JAVA_OPTIONS } from '../stack/java.js';
import { KEYCLOAK_ADMIN } from '../stack/keycloak.js';
import { freePort, freePorts } from '../stack/ports.js';
import { type ServerProcess, startProcess, until } from '../stack/process.js';
import { envoyOptions } from '../stack/sidecar.js';
import { Browser } from '../support/browser.js';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { blocks, ROOT, section, textOf } from './manual.js';

const PERSON = { username: 'ann', password: 'a password' };

let keycloak: KeycloakOfRun;
let consul: ConsulHandle;
let commandLine: CommandLine;
let directory: string;
let daemon: Scopemesh | undefined;
let mesh: Mesh | undefined;
let sidecar: ServerProcess | undefined;

beforeAll(async () => {
  [keycloak, consul] = await Promise.all([connectKeycloak(), startConsul()]);
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
  await sidecar?.stop();
  await Promise.all([daemon?.dispose(), mesh?.stop()]);
  await consul?.stop();
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
    KC_OPTS: JAVA_OPTIONS.join(' '),
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

describe('the lines of the pages about Keycloak and about logins', () => {
  it('set Keycloak up, its webhook too', async () => {
    const { username, password } = KEYCLOAK_ADMIN;
    const pages = ['keycloak', 'keycloak/log-in'].map((page) => textOf(`docs/providers/${page}.md`));
    const [login = '', ...lines] = blocks(pages.join('\n'), 'sh');
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

describe('the lines of start-a-new-service.md', () => {
  const PAGE = 'docs/how-to/start-a-new-service.md';
  const METHOD = 'scopemesh-payments-main-shop-app';
  const LONG = { timeoutMs: 120_000 };
  const linesOf = (heading: string, language = 'sh') => blocks(section(PAGE, heading), language);

  /** The daemon as the page and those that it links to have it, with a short grace in place of a day. */
  async function startDaemon(): Promise<Scopemesh> {
    const [rules = ''] = blocks(textOf(PAGE), 'yaml');
    const [login = ''] = blocks(textOf('docs/how-to/log-in-to-consul.md'), 'yaml');
    const secret = await shell(
      'kcadm.sh get clients/$(cat scopemesh.id)/client-secret -r main --fields value --format csv --noquotes',
    );
    const { providers } = parse(
      login.replaceAll('https://sso.example.com', keycloak.address).replace(/\$\{\w+\}/, secret),
    );
    const listen = `127.0.0.1:${await freePort()}`;
    return startScopemesh({
      listen,
      configuration: (state) =>
        stringify({
          owner: 'payments',
          mode: 'enforce',
          consul: { address: consul.httpAddress, token: consul.managementToken },
          providers: providers.map((each: object) => ({ ...each, poll: '2s' })),
          services: { claimGrace: '1s' },
          http: { listen },
          state,
          ...parse(rules),
        }),
    });
  }

  /** The lines that start the service, on a machine with other ports and without any token of Consul. */
  async function startService(): Promise<ServerProcess> {
    const lines = linesOf('Start the service').find((each) => each.includes('sidecar-login.sh')) ?? '';
    const options = [
      '-envoy-binary',
      await installed('envoy'),
      '-admin-bind',
      `127.0.0.1:${await freePort()}`,
      ...(await envoyOptions(consul.binary)),
    ];
    const function_ = `sidecar-login.sh() { exec sh "${ROOT}deploy/sidecar-login.sh" "$1" "$2" ${options.join(' ')} -grpc-addr 127.0.0.1:${consul.grpcPort} "\${@:3}"; }`;
    return startProcess({
      name: 'shop',
      command: 'bash',
      args: ['-c', `${function_}\n${lines}`],
      cwd: directory,
      env: {
        PATH: `${join(directory, 'bin')}:${process.env.PATH ?? ''}`,
        CONSUL_HTTP_ADDR: consul.httpAddress,
      },
      logFile: join(directory, 'shop.log'),
    });
  }

  it('bring a service from nothing to its first call, and back after a downtime, with no static token', async () => {
    mesh = await startMesh(consul, { services: [{ name: 'orders', protocol: 'http' }], drainTimeSeconds: 1 });
    daemon = await startDaemon();
    await daemon.ready(120_000);
    const [make = '', wait = ''] = linesOf('Make the client');
    await shell(make);
    const program = `scopemesh() { "${process.execPath}" "${BUILT}" -c "${daemon.configFile}" "$@"; }`;
    expect(await shell(`${program}\n${wait}`)).toContain('no instance of shop is registered');

    const [upstream = 0, proxy = 0] = await freePorts(2);
    const [registration = ''] = linesOf('Start the service', 'hcl');
    await mkdir(join(directory, 'bin'));
    await symlink(consul.binary, join(directory, 'bin', 'consul'));
    await writeFile(
      join(directory, 'shop.hcl'),
      registration
        .replace('sidecar_service {', `sidecar_service {\nport = ${proxy}`)
        .replace('9191', String(upstream)),
    );
    await shell(linesOf('Start the service')[0] ?? '');
    const [curl = ''] = linesOf('Call');
    const call = (path = '/v1/orders') =>
      shell(curl.replace('9191', String(upstream)).replace('/v1/orders', path)).catch(() => 'no answer');
    const isOpen = async () => {
      const all = await consul.request('GET', '/v1/connect/intentions');
      return Array.isArray(all) && all.some((each) => Reflect.get(Object(each), 'SourceName') === 'shop');
    };
    expect(await isOpen()).toBe(false);

    sidecar = await startService();
    await until('the first call', async () => (await call()) === '200', { ...LONG, process: sidecar });
    expect(await call('/v2')).toBe('403');

    process.kill(sidecar.pid, 'SIGTERM');
    await sidecar.exited;
    await until('the edge is closed', async () => !(await isOpen()), LONG);
    expect(await consul.request('GET', `/v1/acl/tokens?authmethod=${METHOD}`)).toEqual([]);
    expect(await consul.request('GET', '/v1/catalog/service/shop')).toEqual([]);

    sidecar = await startService();
    await until('the call after the downtime', async () => (await call()) === '200', {
      ...LONG,
      process: sidecar,
    });
  }, 600_000);
});
