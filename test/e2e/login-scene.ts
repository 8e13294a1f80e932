import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { z } from 'zod';
import { connectKeycloak, type KeycloakOfRun } from '../stack/connect-keycloak.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { freePort } from '../stack/ports.js';
import { createRunDirectory, removeRunDirectory } from '../stack/process.js';
import { type Scopemesh, startScopemesh } from './scopemesh.js';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));

const TOKEN = z.object({
  AccessorID: z.string(),
  SecretID: z.string(),
  CreateTime: z.string(),
  ExpirationTime: z.string(),
});
export type ConsulToken = z.infer<typeof TOKEN>;

/** A real Consul and a real Keycloak with the daemon between them; nothing else, and the least token that works. */
export interface LoginScene {
  readonly consul: ConsulHandle;
  readonly keycloak: KeycloakOfRun;
  readonly realm: string;
  readonly daemon: Scopemesh;
  /** A client whose tokens are for Consul. */
  createClient(
    clientId: string,
    scopes: readonly string[],
    attributes?: Readonly<Record<string, string>>,
  ): Promise<void>;
  accessToken(clientId: string): Promise<string>;
  /** By the API, with an access token that the client got for itself; the status where that is refused. */
  login(clientId: string, options?: { readonly authMethod?: string }): Promise<ConsulToken | number>;
  /** The same with an access token of somebody. */
  loginWith(authMethod: string, accessToken: string): Promise<ConsulToken | number>;
  /** `consul login` with the access token in a file; resolves with the secret that it wrote. */
  loginByCommand(clientId: string): Promise<string>;
  /** The status of one call of Consul's API. */
  status(secret: string, method: string, path: string, body?: unknown): Promise<number>;
  stop(): Promise<void>;
}

export const methodOf = (clientId: string) => `scopemesh-demo-main-${clientId}`;

export async function startLoginScene(
  configuration: Readonly<Record<string, unknown>>,
  { organizations = false }: { readonly organizations?: boolean } = {},
): Promise<LoginScene> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one().catch(() => {});
  };
  try {
    const directory = await createRunDirectory('login');
    stops.push(() => removeRunDirectory(directory));
    const [consul, keycloak] = await Promise.all([
      startConsul().then((handle) => {
        stops.push(() => handle.stop());
        return handle;
      }),
      connectKeycloak(),
    ]);
    const { admin } = keycloak;
    const realm = `login-${randomBytes(4).toString('hex')}`;
    await admin.createRealm(realm, { organizationsEnabled: organizations });
    const reader = await admin.createReader(realm);
    if (organizations)
      await admin.grantClientRoles(realm, reader.clientId, 'realm-management', ['view-organizations']);
    const listen = `127.0.0.1:${await freePort()}`;
    const webhookSecret = randomBytes(32).toString('hex');
    await admin.registerWebhook(realm, { url: `http://${listen}/events/main`, secret: webhookSecret });
    const issuer = `${keycloak.address}/realms/${realm}`;
    const token = await leastToken(consul);
    const daemon = await startScopemesh({
      listen,
      configuration: (state) =>
        stringify({
          owner: 'demo',
          mode: 'enforce',
          consul: { address: consul.httpAddress, token },
          providers: [
            {
              name: 'main',
              kind: 'keycloak',
              issuer,
              ...reader,
              webhook: { secrets: [webhookSecret] },
              poll: '30s',
              audience: 'consul',
            },
          ],
          http: { listen },
          state,
          ...configuration,
        }),
    });
    stops.push(() => daemon.dispose());
    await daemon.ready();
    const secrets = new Map<string, string>();
    const accessToken = (clientId: string) =>
      admin.clientAccessToken(realm, clientId, secrets.get(clientId) ?? '');
    const loginWith: LoginScene['loginWith'] = async (authMethod, bearerToken) => {
      const answer = await fetch(`${consul.httpAddress}/v1/acl/login`, {
        method: 'POST',
        body: JSON.stringify({ AuthMethod: authMethod, BearerToken: bearerToken }),
        signal: AbortSignal.timeout(10_000),
      });
      const text = await answer.text();
      return answer.ok ? TOKEN.parse(JSON.parse(text)) : answer.status;
    };
    return {
      consul,
      keycloak,
      realm,
      daemon,
      accessToken,
      async createClient(clientId, scopes, attributes = {}) {
        const secret = randomBytes(16).toString('hex');
        secrets.set(clientId, secret);
        await admin.createClient(realm, clientId, {
          secret,
          attributes: { ...attributes },
          protocolMappers: [AUDIENCE],
        });
        for (const scope of scopes) await admin.addScope(realm, clientId, scope);
      },
      loginWith,
      login: async (clientId, { authMethod = methodOf(clientId) } = {}) =>
        loginWith(authMethod, await accessToken(clientId)),
      async loginByCommand(clientId) {
        const [bearer, sink] = [join(directory, 'access-token'), join(directory, 'consul-token')];
        await writeFile(bearer, await accessToken(clientId), { mode: 0o600 });
        const args = [
          `-method=${methodOf(clientId)}`,
          `-bearer-token-file=${bearer}`,
          `-token-sink-file=${sink}`,
        ];
        await promisify(execFile)(consul.binary, ['login', ...args], {
          env: { CONSUL_HTTP_ADDR: consul.httpAddress },
          timeout: 20_000,
        });
        return (await readFile(sink, 'utf8')).trim();
      },
      async status(secret, method, path, body) {
        const answer = await fetch(`${consul.httpAddress}${path}`, {
          method,
          headers: { 'X-Consul-Token': secret },
          signal: AbortSignal.timeout(10_000),
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        await answer.arrayBuffer();
        return answer.status;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Without it Keycloak's tokens are for `account` alone. */
const AUDIENCE = {
  name: 'for consul',
  protocol: 'openid-connect',
  protocolMapper: 'oidc-audience-mapper',
  config: { 'included.custom.audience': 'consul', 'access.token.claim': 'true', 'id.token.claim': 'false' },
};

/** With the policies that are shipped, for the owner of this test. */
async function leastToken(consul: ConsulHandle): Promise<string> {
  for (const name of ['consul-policy', 'consul-policy-acl'])
    await consul.request('PUT', '/v1/acl/policy', {
      Name: name,
      Rules: (await readFile(join(deploy, `${name}.hcl`), 'utf8')).replaceAll(
        'scopemesh/payments/',
        'scopemesh/demo/',
      ),
    });
  const made = await consul.request('PUT', '/v1/acl/token', {
    Policies: [{ Name: 'consul-policy' }, { Name: 'consul-policy-acl' }],
  });
  return TOKEN.pick({ SecretID: true }).parse(made).SecretID;
}
