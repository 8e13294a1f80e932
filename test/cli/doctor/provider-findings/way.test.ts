import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startDirectoryServer } from '../../../identity/oidc/directory-server.js';
import { type CommandLine, createCommandLine } from '../../../support/command-line.js';
import { selfSigned } from '../../../support/entra/certificate.js';

let cli: CommandLine;
beforeEach(() => {
  cli = createCommandLine();
  cli.idp({ clientId: 'web-app', scopes: [] });
});
afterEach(() => cli.close());

it('shows the CA of a provider and the proxy to it, without the password of the proxy', async () => {
  const caFile = join(cli.directory, 'ca.pem');
  writeFileSync(caFile, selfSigned().certificate);
  const provider = {
    name: 'main',
    kind: 'oidc',
    issuer: 'https://127.0.0.1:9',
    directory: 'idp.json',
    caFile,
  };
  cli.configure({ providers: [provider] });
  const environment = { HTTPS_PROXY: 'http://ann:secret-word@127.0.0.1:1', NO_PROXY: '.example.com' };
  const doctor = await cli.run(['doctor'], { environment });
  const text = doctor.out.replaceAll(/\s+/g, ' ');
  expect(text).toContain(`provider main is trusted by the CAs of ${caFile} alone`);
  expect(text).toContain(
    'requests to provider main go by the proxy http://127.0.0.1:1 (HTTPS_PROXY), except to the hosts of NO_PROXY (.example.com)',
  );
  expect(doctor.out + doctor.err).not.toContain('secret-word');
});

it('refuses a CA file that is missing or garbage, with its place in the file', async () => {
  const provider = {
    name: 'main',
    kind: 'oidc',
    issuer: 'https://127.0.0.1:9',
    directory: 'idp.json',
    caFile: 'ca.pem',
  };
  cli.configure({ providers: [provider] });
  expect((await cli.run(['validate'])).err).toContain(
    'providers[0].caFile: names a file that cannot be read (ENOENT)',
  );
  writeFileSync(join(cli.directory, 'ca.pem'), 'garbage');
  const { status, err } = await cli.run(['validate']);
  expect(status).toBe(1);
  expect(err).toContain('providers[0].caFile: names a file without a valid certificate');
});

it('reports an issuer whose discovery document redirects, because Consul alone follows it', async () => {
  const server = await startDirectoryServer();
  server.answer = () => ({ status: 302, headers: { location: 'https://elsewhere.example.com' } });
  const main = { name: 'main', kind: 'oidc', issuer: server.origin, audience: 'mesh', directory: 'idp.json' };
  const found = async () => {
    const { findings } = (await cli.run(['doctor', '--json'])).json() as { findings: { id: string }[] };
    return findings.filter(({ id }) => id === 'provider.main.issuer');
  };
  const message = expect.stringContaining('answers 302, a redirect');
  cli.configure({ providers: [main], login: 'on' });
  expect(await found()).toMatchObject([{ severity: 'error', message }]);
  cli.configure({ providers: [main] });
  expect(await found()).toMatchObject([{ severity: 'warning', message }]);
  await server.close();
});
