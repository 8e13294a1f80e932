import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import type { Adapter, AdapterPayload, Configuration, Provider } from 'oidc-provider';
import type { ClientStore, StoredClient } from './client-store.js';

interface TokenServerOptions {
  readonly issuer: string;
  /** The `aud` of each access token. */
  readonly audience: string;
  readonly store: ClientStore;
  readonly signingKey: SigningKey;
}

/** An ES256 key; `kid` as in the key set. */
export interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly kid: string;
}

export async function createSigningKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  return { privateKey, kid: await calculateJwkThumbprint(await exportJWK(publicKey)) };
}

/** The only API whose scopes the clients have. A token request may name it as `resource`, but need not. */
const API_RESOURCE = 'urn:scopemesh:api';

/**
 * An OAuth token server on `oidc-provider`: discovery, JWKS and the client_credentials grant with JWT access tokens. Clients
 * are looked up in the store for each request, so that a change applies to the next one.
 */
export async function createTokenServer(options: TokenServerOptions): Promise<RequestListener> {
  const { store, audience, signingKey } = options;
  const { Provider, errors } = await loadOidcProvider();
  const { privateKey, kid } = signingKey;
  const configuration: Configuration = {
    adapter: (model) => (model === 'Client' ? clientAdapter(store) : nothingStored),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' }] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    scopes: [],
    responseTypes: [],
    // Used only with a resource server, which has the client's own lifetime.
    ttl: { ClientCredentials: (_ctx, accessToken) => accessToken.resourceServer?.accessTokenTTL ?? 300 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API_RESOURCE,
        getResourceServerInfo(ctx, resource, client) {
          const stored = store.get(client.clientId);
          if (resource !== API_RESOURCE || stored === undefined) throw new errors.InvalidTarget();
          const requested = ctx.oidc.params?.scope;
          const scopes = typeof requested === 'string' ? requested.split(' ') : [];
          // By default the server drops such scopes from the token and answers 200.
          const refused = scopes.find((scope) => !stored.scopes.includes(scope));
          if (refused !== undefined) {
            throw new errors.InvalidScope('requested scope is not granted to this client', refused);
          }
          return {
            scope: stored.scopes.join(' '),
            audience,
            accessTokenFormat: 'jwt',
            accessTokenTTL: stored.accessTokenLifetimeSeconds,
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
    },
  };
  return new Provider(options.issuer, configuration).callback();
}

function clientAdapter(store: ClientStore): Adapter {
  return {
    ...nothingStored,
    async find(clientId) {
      const client = store.get(clientId);
      return client?.enabled ? toMetadata(client) : undefined;
    },
  };
}

/** RFC 7591 metadata. Other grant types are only in the directory, because this server has no login page. */
function toMetadata(client: StoredClient): AdapterPayload {
  return {
    client_id: client.clientId,
    client_secret: client.secret.reveal(),
    grant_types: client.grantTypes.filter((grantType) => grantType === 'client_credentials'),
    response_types: [],
    redirect_uris: [],
  };
}

/** JWT access tokens are not stored, and client_credentials has no session, code or refresh token. */
const nothingStored: Adapter = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
};

interface OidcProviderModules {
  readonly Provider: typeof Provider;
  readonly errors: typeof import('oidc-provider').errors;
}

/**
 * The entry point of the package prints a warning on Node 20. The modules that it re-exports do not. The version is pinned,
 * so the paths are stable.
 */
async function loadOidcProvider(): Promise<OidcProviderModules> {
  const [provider, errors]: [unknown, unknown] = await Promise.all([
    import(modulePath('provider')),
    import(modulePath('helpers/errors')),
  ]);
  if (!hasProvider(provider) || !hasErrors(errors))
    throw new TypeError('oidc-provider has another layout than its pinned version');
  return { Provider: provider.Provider, errors };
}

// Not a literal, because these modules have no types.
function modulePath(name: string): string {
  return `oidc-provider/lib/${name}.js`;
}

function hasProvider(module: unknown): module is { Provider: typeof Provider } {
  return typeof module === 'object' && module !== null && 'Provider' in module;
}

function hasErrors(module: unknown): module is OidcProviderModules['errors'] {
  return (
    typeof module === 'object' && module !== null && 'InvalidScope' in module && 'InvalidTarget' in module
  );
}
