import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { IssuerRedirects } from '../../src/errors.js';
import { readJwksUri } from '../../src/identity/discovery.js';
import { noMetrics } from '../../src/observe.js';
import { type DirectoryServer, type ScriptedAnswer, startDirectoryServer } from './oidc/directory-server.js';

const never = new AbortController().signal;
const PATH = '/realms/main/.well-known/openid-configuration';

let server: DirectoryServer;
let issuer: string;
beforeEach(async () => {
  server = await startDirectoryServer();
  issuer = `${server.origin}/realms/main`;
});
afterEach(() => server.close());

const read = (of = issuer, timeoutMs = 2_000) =>
  readJwksUri({ provider: 'main', issuer: of, clock: systemClock, metrics: noMetrics, timeoutMs }, never);
const answers = (answer: ScriptedAnswer) => {
  server.answer = (path) => (path === PATH ? answer : { status: 404 });
};

describe('the address of the key set', () => {
  it('comes from the discovery document', async () => {
    answers({ json: { issuer, jwks_uri: 'https://sso.example.com/certs?a=1' } });
    expect(await read()).toBe('https://sso.example.com/certs?a=1');
    expect(server.seen.map(({ line }) => line)).toEqual([`GET ${PATH}`]);
  });

  it('is found if the issuer ends with a slash', async () => {
    answers({ json: { issuer: `${issuer}/`, jwks_uri: `${issuer}/certs` } });
    expect(await read(`${issuer}/`)).toBe(`${issuer}/certs`);
  });

  it('is not looked for where a redirect leads, which is told from other failures', async () => {
    answers({ status: 307, headers: { location: `${issuer}/moved` } });
    await expect(read()).rejects.toBeInstanceOf(IssuerRedirects);
    expect(server.seen).toHaveLength(1);
    answers({ status: 404 });
    await expect(read()).rejects.not.toBeInstanceOf(IssuerRedirects);
  });

  it.each<[string, (issuer: string) => ScriptedAnswer]>([
    [
      'of another issuer',
      () => ({ json: { issuer: 'https://evil.example.com', jwks_uri: 'https://evil.example.com/certs' } }),
    ],
    ['without an issuer', () => ({ json: { jwks_uri: 'https://sso.example.com/certs' } })],
    ['without keys', (issuer) => ({ json: { issuer } })],
    ['whose keys are no address', (issuer) => ({ json: { issuer, jwks_uri: 'certs' } })],
    ['whose keys are a file', (issuer) => ({ json: { issuer, jwks_uri: 'file:///etc/passwd' } })],
    [
      'whose keys carry a password',
      (issuer) => ({ json: { issuer, jwks_uri: 'https://a:b@sso.example.com/certs' } }),
    ],
    ['that is no JSON', () => ({ body: '<html>' })],
    ['that is null', () => ({ body: 'null' })],
    ['that is cut off', (issuer) => ({ json: { issuer, jwks_uri: 'https://a/b' }, cutOff: true })],
    ['that moved elsewhere', () => ({ status: 302, headers: { location: 'https://evil.example.com' } })],
    ['that is not there', () => ({ status: 404 })],
    ['of a sick server', () => ({ status: 503 })],
    ['that does not come', () => ({ silent: true })],
  ])('is not taken from a document %s', async (_, answer) => {
    answers(answer(issuer));
    await expect(read(issuer, 300)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_DIRECTORY_/) });
  });

  it('is not taken from a longer document than any provider has', async () => {
    answers({ json: { issuer, jwks_uri: 'https://a/b', padding: 'x'.repeat(1024 * 1024) } });
    await expect(read()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
  });
});
