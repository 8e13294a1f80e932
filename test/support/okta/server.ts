import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { Secret } from '../../../src/model/secret.js';
import { OktaOrg } from './org.js';
import { type Answer, error, type Request, route } from './routes.js';
import type { AppRecord } from './state.js';
import { TokenEndpoint } from './token-endpoint.js';

/** Answers one request in place of the server; true once it has. */
export type Fault = (url: URL, response: ServerResponse, request: IncomingMessage) => boolean;

const KEY_ID = 'scopemesh-key';
const SIGNING_KEY_ID = 'signing-key';
/** Of the default authorization server's tokens. */
export const AUDIENCE = 'api://default';

export const ALL_SCOPES = [
  'okta.apps.read',
  'okta.authorizationServers.read',
  'okta.appGrants.read',
  'okta.logs.read',
  'okta.groups.read',
  'okta.users.read',
];

/** An Okta org over HTTP, after its documentation: tokens, paging, errors and rate limits, with old state where asked. */
export class OktaServer {
  readonly org: OktaOrg;
  readonly tokens = new TokenEndpoint();
  readonly apiToken = '00-an-api-token-of-an-administrator';
  /** The service app as which scopemesh reads. */
  readonly reader: AppRecord;
  /** Whether the reader has an administrator role. */
  hasRole = true;
  /** Whether it may read the register of AI agents, which takes more than a role that only reads. */
  isSuperAdmin = false;
  /** Apps to a page at most, to make lists long. */
  pageLimit = 200;
  /** Requests that are let through before the rate limit strikes; undefined: no limit. */
  remaining: number | undefined;
  /** Whether the org has too many requests under way at once: another kind of 429, which states no limit. */
  isBusy = false;
  /** When the limit's window ends, in seconds from now. */
  resetSeconds = 30;
  fault: Fault = () => false;
  /** `METHOD path?query` of each request, oldest first. */
  readonly requests: string[] = [];
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #signing = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #now: () => number;
  readonly #http = createServer((request, response) => void this.#serve(request, response));

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.org = new OktaOrg(now);
    this.reader = this.org.addApp({ label: 'scopemesh', orgScopes: ALL_SCOPES });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get issuer(): string {
    return `${this.address}/oauth2/default`;
  }

  get pem(): string {
    return this.#keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  get jwk(): string {
    return JSON.stringify({ ...this.#keys.privateKey.export({ format: 'jwk' }), kid: KEY_ID });
  }

  get credentials() {
    return { clientId: this.reader.id, privateKey: new Secret(this.pem), keyId: KEY_ID };
  }

  /** An access token of the default authorization server, with the claims that Okta gives it. */
  async sign(claims: Readonly<Record<string, unknown>>): Promise<string> {
    return new SignJWT({ ver: 1, jti: `AT.${randomUUID()}`, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: SIGNING_KEY_ID })
      .setIssuer(this.issuer)
      .setAudience(AUDIENCE)
      .setIssuedAt(Math.floor(this.#now() / 1000))
      .setExpirationTime(Math.floor(this.#now() / 1000) + 300)
      .sign(this.#signing.privateKey);
  }

  count(part: string): number {
    return this.requests.filter((line) => line.includes(part)).length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.address);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (this.fault(url, response, request)) return;
    const answer = await this.#answer(request, url, Buffer.concat(chunks).toString());
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(JSON.stringify(answer.body));
  }

  async #answer(request: IncomingMessage, url: URL, body: string): Promise<Answer> {
    if (url.pathname === '/.well-known/openid-configuration')
      return {
        status: 200,
        body: {
          issuer: this.address,
          token_endpoint: `${this.address}/oauth2/v1/token`,
          token_endpoint_auth_methods_supported: ['private_key_jwt'],
        },
      };
    if (url.pathname === '/oauth2/default/.well-known/openid-configuration')
      return { status: 200, body: { issuer: this.issuer, jwks_uri: `${this.issuer}/v1/keys` } };
    if (url.pathname === '/oauth2/default/v1/keys') {
      const key = this.#signing.publicKey.export({ format: 'jwk' });
      return {
        status: 200,
        body: { keys: [{ ...key, kid: SIGNING_KEY_ID, use: 'sig', alg: 'ES256', status: 'ACTIVE' }] },
      };
    }
    if (url.pathname === '/oauth2/v1/token')
      return this.tokens.answer(new URLSearchParams(body), this.address, {
        app: this.org.shown.apps.find(({ id }) => id === this.reader.id),
        key: this.#keys.publicKey,
        keyId: KEY_ID,
      });
    const limited = this.#limit();
    const asked: Request = {
      url,
      origin: this.address,
      pageLimit: this.pageLimit,
      state: this.org.shown,
      log: this.org.log,
    };
    const answer = limited.isOver
      ? error(429, 'E0000047', 'API call exceeded rate limit due to too many requests.')
      : (this.#refusal(request, url) ?? route(asked));
    return { ...answer, headers: { ...limited.headers, ...answer.headers } };
  }

  /** Every answer tells the limit (developer.okta.com/docs/reference/rl-best-practices). */
  #limit(): { readonly isOver: boolean; readonly headers: Record<string, string> } {
    const isOver = this.isBusy || this.remaining === 0;
    if (this.remaining !== undefined && this.remaining > 0) this.remaining--;
    return {
      isOver,
      headers: {
        // Both are always 0 in this 429.
        'x-rate-limit-limit': this.isBusy ? '0' : '600',
        'x-rate-limit-remaining': this.isBusy ? '0' : String(this.remaining ?? 599),
        'x-rate-limit-reset': String(Math.floor(this.#now() / 1000) + this.resetSeconds),
        date: new Date(this.#now()).toUTCString(),
      },
    };
  }

  #refusal(request: IncomingMessage, url: URL): Answer | undefined {
    const [scheme = '', proof = ''] = (request.headers.authorization ?? '').split(' ');
    const denied = error(403, 'E0000006', 'You do not have permission to perform the requested action');
    if (scheme === 'SSWS')
      return proof === this.apiToken ? (this.hasRole ? undefined : denied) : invalidToken();
    const scopes = scheme === 'Bearer' ? this.tokens.scopesOf(proof) : undefined;
    if (scopes === undefined) return invalidToken();
    if (!scopes.includes(scopeFor(url.pathname))) {
      const challenge = 'Bearer authorization_uri="", realm="", scope="", error="insufficient_scope"';
      return { ...denied, headers: { 'www-authenticate': challenge } };
    }
    const isAllowed = scopeFor(url.pathname) === 'okta.aiAgents.read' ? this.isSuperAdmin : this.hasRole;
    return isAllowed ? undefined : denied;
  }
}

function invalidToken(): Answer {
  return error(401, 'E0000011', 'Invalid token provided');
}

function scopeFor(path: string): string {
  if (path.startsWith('/workload-principals/')) return 'okta.aiAgents.read';
  if (/^\/api\/v1\/apps\/[^/]+\/grants/.test(path)) return 'okta.appGrants.read';
  const [, , , kind] = path.split('/');
  return `okta.${kind}.read`;
}
