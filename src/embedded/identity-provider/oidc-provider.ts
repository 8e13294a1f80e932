import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import type { Adapter, AdapterPayload, Configuration, Provider } from 'oidc-provider';
import type { Clock } from '../../clock.js';
import type { Secret } from '../../model/secret.js';
import type { ClientStore, StoredClient } from './client-store.js';
import { createLoginPage, isLoginPage, loginPageOf } from './login-page.js';
import { createMemoryAdapter } from './memory-adapter.js';
import type { PersonStore } from './person-store.js';

interface TokenServerOptions {
  readonly issuer: string;
  /** The `aud` of each access token. */
  readonly audience: string;
  readonly store: ClientStore;
  readonly signingKey: SigningKey;
  readonly people: PersonStore;
  /** A client at which people sign in. It is in no directory. */
  readonly loginClient: LoginClient | undefined;
  readonly clock: Pick<Clock, 'now'>;
}

export interface LoginClient {
  readonly clientId: string;
  readonly secret: Secret;
  readonly redirectUri: string;
  /** Where a browser goes after it signed out here. */
  readonly afterLogout: string;
  /** Where this server reports that a session ended. */
  readonly backChannelLogout?: string;
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

const LOGIN_SCOPES = ['openid', 'profile', 'groups'];

const CALL_MS = 5_000;
/** In seconds. */
const LOGIN_TTL = {
  AccessToken: 300,
  AuthorizationCode: 60,
  Grant: 86_400,
  IdToken: 3_600,
  Interaction: 600,
  Session: 86_400,
};

/** The only API whose scopes the clients have. A token request may name it as `resource`, but need not. */
const API_RESOURCE = 'urn:scopemesh:api';

/**
 * An OAuth token server on `oidc-provider`: discovery, JWKS and the client_credentials grant with JWT access tokens. Clients
 * are looked up in the store for each request, so that a change applies to the next one. At `loginClient` people sign in by
 * authorization code.
 */
export async function createTokenServer(options: TokenServerOptions): Promise<RequestListener> {
  const { store, audience, signingKey, people, loginClient, clock } = options;
  const { Provider, errors } = await loadOidcProvider();
  const { privateKey, kid } = signingKey;
  const configuration: Configuration = {
    adapter: (model) => (model === 'Client' ? clientAdapter(store, loginClient) : createMemoryAdapter(clock)),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' }] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    scopes: LOGIN_SCOPES,
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    // Without an access token for the userinfo a client needs the claims in its ID token.
    conformIdTokenClaims: false,
    responseTypes: loginClient === undefined ? [] : ['code'],
    pkce: { required: () => true },
    // Only to addresses of `loginClient`. The package's own dispatcher, in its options, refuses every one on this machine.
    fetch: (address, { method = 'GET', headers = {}, body = null } = {}) =>
      fetch(address, { method, headers, body, redirect: 'manual', signal: AbortSignal.timeout(CALL_MS) }),
    interactions: { url: (_ctx, { uid }) => loginPageOf(uid) },
    async findAccount(_ctx, subject) {
      const person = people.get(subject);
      if (person?.enabled !== true) return undefined;
      const claims = { sub: subject, preferred_username: subject, groups: [...person.groups] };
      return { accountId: subject, claims: async () => claims };
    },
    // Nobody is asked for consent: the client is this installation's own.
    async loadExistingGrant({ oidc }) {
      const [clientId, accountId] = [oidc.client?.clientId, oidc.session?.accountId];
      if (clientId === undefined || accountId === undefined) return undefined;
      const grant = new oidc.provider.Grant({ clientId, accountId });
      grant.addOIDCScope(LOGIN_SCOPES.join(' '));
      await grant.save();
      return grant;
    },
    // Used only with a resource server, which has the client's own lifetime.
    ttl: {
      ClientCredentials: (_ctx, accessToken) => accessToken.resourceServer?.accessTokenTTL ?? 300,
      ...LOGIN_TTL,
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      userinfo: { enabled: loginClient !== undefined },
      rpInitiatedLogout: {
        enabled: loginClient !== undefined,
        async logoutSource(ctx, form) {
          ctx.body = `<!doctype html><title>Sign out</title><h1>Sign out?</h1>${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>\n`;
        },
      },
      backchannelLogout: { enabled: loginClient !== undefined },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, client) => (client?.clientId === loginClient?.clientId ? [] : API_RESOURCE),
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
  const provider = new Provider(options.issuer, configuration);
  const [tokens, loginPage] = [provider.callback(), createLoginPage(provider, people)];
  return (request, response) =>
    isLoginPage(request.url ?? '/') ? loginPage(request, response) : void tokens(request, response);
}

function clientAdapter(store: ClientStore, loginClient: LoginClient | undefined): Adapter {
  return {
    ...nothingStored,
    async find(clientId) {
      if (clientId === loginClient?.clientId) return toLoginMetadata(loginClient);
      const client = store.get(clientId);
      return client?.enabled ? toMetadata(client) : undefined;
    },
  };
}

function toLoginMetadata(client: LoginClient): AdapterPayload {
  return {
    client_id: client.clientId,
    client_secret: client.secret.reveal(),
    grant_types: ['authorization_code'],
    response_types: ['code'],
    redirect_uris: [client.redirectUri],
    post_logout_redirect_uris: [client.afterLogout],
    token_endpoint_auth_method: 'client_secret_post',
    ...(client.backChannelLogout === undefined
      ? {}
      : { backchannel_logout_uri: client.backChannelLogout, backchannel_logout_session_required: true }),
  };
}

/** RFC 7591 metadata. Other grant types are only in the directory: people sign in at `loginClient` alone. */
function toMetadata(client: StoredClient): AdapterPayload {
  return {
    client_id: client.clientId,
    client_secret: client.secret.reveal(),
    grant_types: client.grantTypes.filter((grantType) => grantType === 'client_credentials'),
    response_types: [],
    redirect_uris: [],
  };
}

/** Of clients only the lookup is needed. */
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
