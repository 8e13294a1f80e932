import type { Clock } from '../../clock.js';
import { IncompleteRead, SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import type { Metrics } from '../../observe.js';
import { type AccessTokenSource, createAccessTokenSource } from '../access-token.js';
import { createHttpClient, type HttpAnswer, nowThere, parseJson, refusalOf } from '../http-client.js';
import { authenticateByKey, type OktaPrivateKey } from './client-authentication.js';
import { type OktaOrg, parseOrg } from './org.js';

/** The scopes by which Okta opens its own API (developer.okta.com/docs/api/oauth2). */
export type OktaScope =
  | 'okta.apps.read'
  | 'okta.authorizationServers.read'
  | 'okta.appGrants.read'
  | 'okta.logs.read'
  | 'okta.groups.read'
  | 'okta.aiAgents.read';

/** A service app with its key, or an API token of an administrator. */
export type OktaCredentials =
  | ({ readonly clientId: string } & OktaPrivateKey)
  | { readonly apiToken: Secret };

export interface OktaApiOptions {
  readonly provider: string;
  /** Of a custom authorization server: `https://acme.okta.com/oauth2/default`. */
  readonly issuer: string;
  /** Where the API is; the issuer's host by default. */
  readonly org?: string;
  readonly credentials: OktaCredentials;
  /** For one request; 10,000 by default. */
  readonly timeoutMs?: number;
  readonly insecure?: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** The Okta API of one org, read only. `place` names a request in errors. */
export interface OktaApi {
  readonly provider: string;
  readonly org: OktaOrg;
  /** Of the service app that reads; absent with an API token. */
  readonly clientId: string | undefined;
  /** Segments are encoded here. */
  address(segments: readonly string[], query?: Query): URL;
  /** JSON of a 200 and its `next` link, or an error by the codes of Directory. */
  get(address: URL, scope: OktaScope, place: string, signal: AbortSignal): Promise<OktaAnswer>;
  /** The same, but undefined where Okta itself says that the one thing asked for does not exist. */
  find(address: URL, scope: OktaScope, place: string, signal: AbortSignal): Promise<OktaAnswer | undefined>;
  /** Whatever comes back. */
  send(address: URL, scope: OktaScope, place: string, signal: AbortSignal): Promise<HttpAnswer>;
  /** The error that an unexpected answer stands for. */
  refusal(answer: HttpAnswer, place: string): SyncError;
  /** The answer's JSON, and its `next` link, which leads to the same place or is refused. */
  parse(answer: HttpAnswer, address: URL, place: string): OktaAnswer;
  /** Requests sent so far. */
  readonly requests: number;
  close(): Promise<void>;
}

export type Query = Readonly<Record<string, string | number | boolean>>;

export interface OktaAnswer {
  readonly value: unknown;
  readonly next: URL | undefined;
}

const REMEDY =
  'check clientId and the key, turn off "Require DPoP" of the service app, and grant it this scope under "Okta API Scopes"';
const LONGEST_WAIT_MS = 3_600_000;

export function createOktaApi(options: OktaApiOptions): OktaApi {
  const { provider, clock, metrics, timeoutMs, credentials } = options;
  const org = parseOrg(options.issuer, options.org, options.insecure);
  const http = createHttpClient({ provider, metrics, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  const tokens = new Map<OktaScope, AccessTokenSource>();
  const authentication = 'apiToken' in credentials ? undefined : authenticateByKey(credentials, org);
  let requests = 0;

  // A token for each scope: what is not granted then fails alone, and each request shows no more than it needs.
  const tokenFor = (scope: OktaScope): AccessTokenSource | undefined => {
    if ('apiToken' in credentials || authentication === undefined) return undefined;
    const known = tokens.get(scope);
    if (known !== undefined) return known;
    const source = createAccessTokenSource({
      provider,
      issuer: org.address,
      plain: org.plain,
      clientId: credentials.clientId,
      authentication,
      parameters: { scope },
      remedy: `${REMEDY}: ${scope}`,
      http,
      clock,
    });
    tokens.set(scope, source);
    return source;
  };
  const proofOf = async (source: AccessTokenSource | undefined, signal: AbortSignal, stale?: string) => {
    if (source !== undefined) return source.get(signal, stale);
    return 'apiToken' in credentials ? credentials.apiToken.reveal() : '';
  };

  const send: OktaApi['send'] = async (address, scope, place, signal) => {
    const source = tokenFor(scope);
    const scheme = source === undefined ? 'SSWS' : 'Bearer';
    let proof = await proofOf(source, signal);
    for (let attempt = 1; ; attempt++) {
      requests++;
      const headers = { authorization: `${scheme} ${proof}` };
      const answer = await http.request(address, place, { headers }, signal);
      if (answer.status !== 401 || source === undefined || attempt > 1) return answer;
      proof = await proofOf(source, signal, proof);
    }
  };
  const refusal: OktaApi['refusal'] = (answer, place) => {
    const refused = refusalOf(answer, place, clock);
    const retryAfterMs = resetAfterMs(answer, nowThere(answer, clock));
    if (answer.status !== 429 || refused.retryAfterMs !== undefined || retryAfterMs === undefined)
      return refused;
    return new SyncError(refused.code, refused.message, { retriable: true, retryAfterMs });
  };
  const parse: OktaApi['parse'] = (answer, address, place) => ({
    value: parseJson(answer, place),
    next: nextLink(answer.headers.link, address, place),
  });

  return {
    provider,
    org,
    clientId: 'apiToken' in credentials ? undefined : credentials.clientId,
    address(segments, query = {}) {
      const url = new URL(`/${segments.map(encodeURIComponent).join('/')}`, org.address);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
      return url;
    },
    send,
    refusal,
    parse,
    async get(address, scope, place, signal) {
      const answer = await send(address, scope, place, signal);
      if (answer.status !== 200) throw refusal(answer, place);
      return parse(answer, address, place);
    },
    async find(address, scope, place, signal) {
      const answer = await send(address, scope, place, signal);
      if (answer.status === 200) return parse(answer, address, place);
      if (answer.status === 404 && saysAbsent(answer, place)) return undefined;
      throw refusal(answer, place);
    },
    get requests() {
      return requests;
    },
    async close() {
      for (const source of tokens.values()) source.close();
      await http.close();
    },
  };
}

/** E0000007, "Not found" (developer.okta.com/docs/reference/error-codes); any other 404 is a proxy's, or a wrong address. */
function saysAbsent(answer: HttpAnswer, place: string): boolean {
  if (!(answer.headers['content-type'] ?? '').startsWith('application/json')) return false;
  const body = parseJson(answer, place);
  return typeof body === 'object' && body !== null && 'errorCode' in body && body.errorCode === 'E0000007';
}

/**
 * When the window of the rate limit ends, from the answer: `X-Rate-Limit-Reset` is in seconds since the epoch by Okta's
 * clock, which its `Date` tells (developer.okta.com/docs/reference/rl-best-practices).
 */
function resetAfterMs(answer: HttpAnswer, nowMs: number): number | undefined {
  const reset = answer.headers['x-rate-limit-reset'];
  if (reset === undefined || !/^\d{1,11}$/.test(reset)) return undefined;
  const waitMs = Number(reset) * 1000 - nowMs;
  // A limit of simultaneous requests is told with a reset that is over already.
  return Math.min(Math.max(waitMs, 1000), LONGEST_WAIT_MS);
}

const LINK = /<([^<>]*)>\s*;([^<>]*)/g;

/** RFC 8288. */
function nextLink(header: string | undefined, from: URL, place: string): URL | undefined {
  const found = [...(header ?? '').matchAll(LINK)].filter(([, , parameters]) =>
    /(?:^|;)\s*rel\s*=\s*"?next"?\s*(?:[;,]|$)/i.test(parameters ?? ''),
  );
  if (found.length > 1) throw elsewhere(from, place);
  const [target] = found.map(([, url]) => url);
  return target === undefined ? undefined : followLink(target, from, place);
}

/** Where a link leads on. It carries a cursor and is followed with a token, so it may lead nowhere but to the same place. */
export function followLink(target: string, from: URL, place: string): URL {
  const next = URL.canParse(target, from.href) ? new URL(target, from.href) : undefined;
  if (next?.origin !== from.origin || next.pathname !== from.pathname) throw elsewhere(from, place);
  return next;
}

function elsewhere(from: URL, place: string): IncompleteRead {
  const message = `${place}: the next page is said to lie elsewhere than under ${from.origin}${from.pathname}`;
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: false });
}
