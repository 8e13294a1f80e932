import { configError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { parseAddress } from '../address.js';
import {
  type ApiOptions,
  type Authorize,
  createApiClient,
  isApiNotFound,
  type Query,
} from '../api-client.js';
import type { HttpAnswer } from '../http-client.js';
import { incomplete } from '../read-errors.js';
import { authenticateByKey, type OktaPrivateKey } from './client-authentication.js';

/** The scopes of Okta's own API (developer.okta.com/docs/api/oauth2). */
export type OktaScope =
  | 'okta.apps.read'
  | 'okta.authorizationServers.read'
  | 'okta.appGrants.read'
  | 'okta.logs.read'
  | 'okta.groups.read'
  | 'okta.users.read'
  | 'okta.aiAgents.read';

/** A service app with its key, or an API token of an administrator. */
type OktaCredentials = ({ readonly clientId: string } & OktaPrivateKey) | { readonly apiToken: Secret };

export interface OktaApiOptions extends ApiOptions {
  /** The issuer of a custom authorization server: `https://acme.okta.com/oauth2/default`. */
  readonly issuer: string;
  /** The address of the API; the issuer's host by default. */
  readonly org?: string;
  readonly credentials: OktaCredentials;
}

/** The Okta API of one org, read only. `place` names a request in errors. */
export type OktaApi = ReturnType<typeof createOktaApi>;

interface OktaAnswer {
  readonly value: unknown;
  readonly next: URL | undefined;
}

const REMEDY =
  'check clientId and the key, turn off "Require DPoP" of the service app, and grant it this scope under "Okta API Scopes"';

/**
 * `X-Rate-Limit-Reset` (developer.okta.com/docs/reference/rl-best-practices). After too many simultaneous requests Okta
 * states a reset in the past.
 */
const RATE_LIMIT_RESET = { header: 'x-rate-limit-reset', minMs: 1000 };
/** "Not found" (developer.okta.com/docs/reference/error-codes). */
const NOT_FOUND = 'E0000007';

export function createOktaApi(options: OktaApiOptions) {
  const { credentials } = options;
  const org = parseOrg(options.issuer, options.org, options.insecure);
  const client = createApiClient(options, RATE_LIMIT_RESET);
  const byScope = new Map<OktaScope, Authorize>();

  const authorization = (): ((scope: OktaScope) => Authorize) => {
    if ('apiToken' in credentials) return () => async () => `SSWS ${credentials.apiToken.reveal()}`;
    const authentication = authenticateByKey(credentials, org);
    // One token per scope: a scope that is not granted fails alone, and each request carries only what it needs.
    return (scope) => {
      const known =
        byScope.get(scope) ??
        client.byTokens({
          issuer: org,
          clientId: credentials.clientId,
          authentication,
          parameters: { scope },
          remedy: `${REMEDY}: ${scope}`,
        });
      byScope.set(scope, known);
      return known;
    };
  };
  const authorize = authorization();

  const send = (address: URL, scope: OktaScope, place: string, signal: AbortSignal): Promise<HttpAnswer> =>
    client.send(address, place, {}, authorize(scope), signal);
  const parse = (answer: HttpAnswer, address: URL, place: string): OktaAnswer => ({
    value: client.json(answer, place),
    next: nextLink(answer.headers.link, address, place),
  });

  return {
    ...client.api,
    /** Its address. */
    org,
    /** The client ID of the service app; undefined with an API token. */
    clientId: 'apiToken' in credentials ? undefined : credentials.clientId,
    /** Encodes the segments. */
    address(segments: readonly string[], query: Query = {}): URL {
      const url = new URL(`/${segments.map(encodeURIComponent).join('/')}`, org);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
      return url;
    },
    /** Resolves with the answer, whatever its status. */
    send,
    /** The error for an unexpected answer. */
    refusal: client.refusal,
    /** The JSON of a 200 and its `next` link, which must lead to the same path. Anything else throws, with the codes of Directory. */
    parse,
    /** The JSON of a 200 and its `next` link, or an error with the codes of Directory. */
    async get(address: URL, scope: OktaScope, place: string, signal: AbortSignal): Promise<OktaAnswer> {
      return parse(await send(address, scope, place, signal), address, place);
    },
    /** As `get`, but undefined if Okta itself says that the object does not exist. */
    async find(
      address: URL,
      scope: OktaScope,
      place: string,
      signal: AbortSignal,
    ): Promise<OktaAnswer | undefined> {
      const answer = await send(address, scope, place, signal);
      const isAbsent = isApiNotFound(answer, 'errorCode', NOT_FOUND, place);
      return isAbsent ? undefined : parse(answer, address, place);
    },
  };
}

const LINK = /<([^<>]*)>\s*;([^<>]*)/g;

/** RFC 8288. */
function nextLink(header: string | undefined, from: URL, place: string): URL | undefined {
  const found = [...(header ?? '').matchAll(LINK)].filter(([, , parameters]) =>
    /(?:^|;)\s*rel\s*=\s*"?next"?\s*(?:[;,]|$)/i.test(parameters ?? ''),
  );
  const [target, other] = found.map(([, url]) => url);
  if (other !== undefined) throw incomplete(place, 'the answer has several links to a next page', false);
  return target === undefined ? undefined : followLink(target, from, place);
}

/** The target of a link. It is requested with our access token, so it must lead to the same origin and path. */
export function followLink(target: string, from: URL, place: string): URL {
  const next = URL.canParse(target, from.href) ? new URL(target, from.href) : undefined;
  if (next?.origin === from.origin && next.pathname === from.pathname) return next;
  throw incomplete(place, `the link to the next page leads away from ${from.origin}${from.pathname}`, false);
}

/**
 * The address of an organization's API, which is also the issuer of the org authorization server: `https://acme.okta.com`.
 * The configured issuer must be a custom authorization server: only Okta itself can verify the access tokens of the org
 * authorization server (developer.okta.com/docs/concepts/auth-servers). Throws ERR_CONFIG for impossible addresses, and for
 * plain http to another machine unless `insecure` allows it.
 */
export function parseOrg(issuer: string, org: string | undefined, insecure = false): URL {
  const server = parseAddress(issuer, 'issuer', insecure);
  if (!/^\/oauth2\/[A-Za-z0-9_-]+\/?$/.test(server.pathname)) {
    const form = 'https://acme.okta.com/oauth2/default';
    throw configError(`issuer must be a custom authorization server of Okta, for example ${form}`);
  }
  const address = org === undefined ? new URL(server.origin) : parseAddress(org, 'org', insecure);
  if (address.pathname !== '/')
    throw configError('org must be the address of an Okta organization, for example https://acme.okta.com');
  return address;
}
