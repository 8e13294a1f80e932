import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installed } from './installed.js';
import { freePort } from './ports.js';
import { type ServerProcess, startProcess, until } from './process.js';

const HEADER = 'x-user-claims';
/** Many servers hand it to the service by the same name as the other. */
const UNDERSCORED = 'x_user_claims';
const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters';

let directory: string;
let service: Server;
let envoy: ServerProcess;
let address: string;
let key: CryptoKey;

/**
 * The filter that Consul 1.16 configures for a jwt-provider with Forwarding (agent/xds/jwt_authn.go): one rule for every path,
 * which a missing or invalid token satisfies too.
 */
const jwtFilter = (keySource: object) => ({
  name: 'envoy.filters.http.jwt_authn',
  typed_config: {
    '@type': `${EXTENSIONS}.http.jwt_authn.v3.JwtAuthentication`,
    providers: {
      users: {
        issuer: 'https://sso.example.com',
        audiences: ['orders'],
        forward: true,
        forward_payload_header: HEADER,
        payload_in_metadata: 'jwt_payload_users',
        from_headers: [{ name: 'Authorization', value_prefix: 'Bearer ' }],
        ...keySource,
      },
    },
    rules: [
      {
        match: { prefix: '/' },
        requires: {
          requires_any: { requirements: [{ provider_name: 'users' }, { allow_missing_or_failed: {} }] },
        },
      },
    ],
  },
});

/** As Consul 1.16 requires a claim of a permission (agent/xds/rbac.go): one text that is equal. */
const rbacFilter = {
  name: 'envoy.filters.http.rbac',
  typed_config: {
    '@type': `${EXTENSIONS}.http.rbac.v3.RBAC`,
    rules: {
      policies: {
        all: {
          principals: [{ any: true }],
          permissions: [
            { not_rule: { url_path: { path: { prefix: '/scp' } } } },
            {
              metadata: {
                filter: 'envoy.filters.http.jwt_authn',
                path: [{ key: 'jwt_payload_users' }, { key: 'scp' }],
                value: { string_match: { exact: 'orders:read' } },
              },
            },
          ],
        },
      },
    },
  },
};

const endpoint = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });

const bootstrap = (port: number, servicePort: number, keySource: object) => ({
  static_resources: {
    listeners: [
      {
        name: 'public_listener',
        address: endpoint(port),
        filter_chains: [
          {
            filters: [
              {
                name: 'envoy.filters.network.http_connection_manager',
                typed_config: {
                  '@type': `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
                  stat_prefix: 'public_listener',
                  route_config: {
                    virtual_hosts: [
                      {
                        name: 'all',
                        domains: ['*'],
                        routes: [{ match: { prefix: '/' }, route: { cluster: 'local_app' } }],
                      },
                    ],
                  },
                  http_filters: [
                    jwtFilter(keySource),
                    rbacFilter,
                    {
                      name: 'envoy.filters.http.router',
                      typed_config: { '@type': `${EXTENSIONS}.http.router.v3.Router` },
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
    clusters: [
      {
        name: 'local_app',
        type: 'STATIC',
        load_assignment: {
          cluster_name: 'local_app',
          endpoints: [{ lb_endpoints: [{ endpoint: { address: endpoint(servicePort) } }] }],
        },
      },
    ],
  },
});

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'scopemesh-forwarded-'));
  const pair = await generateKeyPair('RS256');
  key = pair.privateKey;
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'RS256' }] });
  // The service answers with the header that it got.
  service = createServer(({ headers }, answer) =>
    answer.end(JSON.stringify(headers[HEADER] ?? headers[UNDERSCORED] ?? null)),
  );
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const port = await freePort();
  address = `http://127.0.0.1:${port}`;
  const config = join(directory, 'envoy.json');
  const local = { local_jwks: { inline_string: keys } };
  await writeFile(config, JSON.stringify(bootstrap(port, (service.address() as AddressInfo).port, local)));
  envoy = await startProcess({
    name: 'envoy',
    command: await installed('envoy'),
    args: ['-c', config, '--concurrency', '1', '--log-level', 'warn', '--disable-hot-restart'],
    logFile: join(directory, 'envoy.log'),
  });
  const answers = () =>
    fetch(address).then(
      ({ ok }) => ok,
      () => false,
    );
  await until('Envoy listens', answers, { timeoutMs: 100_000, process: envoy });
}, 300_000);
afterAll(async () => {
  await envoy?.stop(3000);
  service?.close();
  service?.closeAllConnections();
  await rm(directory, { recursive: true, force: true });
});

const tokenFor = (audience: string, claims: object = {}) =>
  new SignJWT({ sub: 'alice', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'k' })
    .setIssuer('https://sso.example.com')
    .setAudience(audience)
    .setExpirationTime('1h')
    .sign(key);

async function received(headers: Readonly<Record<string, string>>): Promise<unknown> {
  const answer = await fetch(address, { headers, signal: AbortSignal.timeout(60_000) });
  const value: unknown = await answer.json();
  return typeof value === 'string' && value !== 'forged'
    ? JSON.parse(Buffer.from(value, 'base64url').toString())
    : value;
}

it('a real Envoy writes the claims of a verified token over a forged header, and removes it otherwise by its exact name', async () => {
  const forged = { [HEADER]: 'forged' };
  const bearer = async (audience: string) => ({ authorization: `Bearer ${await tokenFor(audience)}` });
  expect(await received(await bearer('orders'))).toMatchObject({ sub: 'alice', aud: 'orders' });
  expect(await received({ ...forged, ...(await bearer('orders')) })).toMatchObject({ sub: 'alice' });
  expect(await received(forged)).toBeNull();
  expect(await received({ ...forged, ...(await bearer('other')) })).toBeNull();
  expect(await received({ ...forged, authorization: 'Bearer x.y.z' })).toBeNull();
  expect(await received({ [UNDERSCORED]: 'forged' })).toBe('forged');
  expect(await received({ 'X-USER-CLAIMS': 'forged', authorization: 'Basic abc' })).toBeNull();
});

it('a real Envoy compares a claim as one text, so that no value of a list is found', async () => {
  const statusWith = async (scp: unknown) => {
    const authorization = `Bearer ${await tokenFor('orders', { scp })}`;
    const answer = await fetch(`${address}/scp`, { headers: { authorization } });
    await answer.arrayBuffer();
    return answer.status;
  };
  const claims = ['orders:read', ['orders:read'], ['openid', 'orders:read'], 'openid orders:read', undefined];
  expect(await Promise.all(claims.map(statusWith))).toEqual([200, 403, 403, 403, 403]);
});

// Consul 1.16 takes the nanoseconds of `CacheDuration` for seconds (agent/xds/jwt_authn.go).
it.each([
  ['refuses a listener with the CacheDuration of 5m as Consul writes it', '300000000000s', false],
  ['accepts one without it', undefined, true],
])('a real Envoy %s', async (_, cache_duration, isValid) => {
  const config = join(directory, 'remote.json');
  const http_uri = { uri: 'http://127.0.0.1/keys', cluster: 'local_app', timeout: '0s' };
  const remote = { remote_jwks: { http_uri, async_fetch: { fast_listener: true }, cache_duration } };
  await writeFile(config, JSON.stringify(bootstrap(1, 2, remote)));
  const args = ['--mode', 'validate', '--log-level', 'error', '-c', config];
  const said = await promisify(execFile)(await installed('envoy'), args).then(
    () => '',
    (error: { stderr: string }) => error.stderr,
  );
  if (isValid) expect(said).toBe('');
  else expect(said).toContain('Duration out-of-range');
});
