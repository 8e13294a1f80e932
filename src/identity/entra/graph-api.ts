import type { Clock } from '../../clock.js';
import { IncompleteRead } from '../../errors.js';
import type { Metrics } from '../../observe.js';
import { createAccessTokenSource } from '../access-token.js';
import { createHttpClient, type HttpAnswer, type HttpRequest, parseJson, refusalOf } from '../http-client.js';
import { type EntraCredential, toClientAuth } from './credential.js';
import { type EntraTenant, parseTenant } from './tenant.js';

/** Microsoft Graph 1.0 for one tenant, as the application that scopemesh is there. */
export interface GraphApi {
  readonly provider: string;
  readonly tenant: EntraTenant;
  /** In lower case, as Graph writes it. */
  readonly clientId: string;
  /** `path` below `/v1.0`, its ids already known to be safe. */
  addressOf(path: string, query: Query): URL;
  /** A link that Graph wrote (`@odata.nextLink`), which must not lead elsewhere with the token. */
  linkOf(link: unknown, place: string): URL;
  /** The names of things asked for, for messages: no id, no client id. */
  placeOf(what: string): string;
  /** The answer, whatever its status. */
  send(url: URL, place: string, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /** JSON of a 200; undefined if Graph itself says that there is no such thing; else an error as of a Directory. */
  find(path: string, query: Query, what: string, signal: AbortSignal): Promise<unknown>;
  refusalOf(answer: HttpAnswer, place: string): Error;
  /** Requests sent so far. */
  readonly requests: number;
  close(): Promise<void>;
}

export type Query = Readonly<Record<string, string | number>>;

export interface GraphApiOptions {
  readonly provider: string;
  readonly issuer: string;
  /** The origin of Microsoft Graph in the tenant's cloud. */
  readonly graph: string;
  readonly clientId: string;
  readonly credential: EntraCredential;
  /** Allows plain http to other machines. */
  readonly insecure?: boolean;
  /** For one request; 10,000 by default. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export function createGraphApi(options: GraphApiOptions): GraphApi {
  const { provider, clock, metrics, timeoutMs } = options;
  const clientId = options.clientId.toLowerCase();
  const tenant = parseTenant(options.issuer, options.graph, options.insecure);
  const http = createHttpClient({ provider, metrics, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  const tokens = createAccessTokenSource({
    provider,
    issuer: tenant.issuer,
    plain: tenant.plain,
    clientId,
    authentication: toClientAuth(options.credential),
    parameters: { scope: `${tenant.graph}/.default` },
    remedy: 'check clientId, its credential and that its enterprise application is enabled',
    http,
    clock,
  });
  let requests = 0;

  const self: GraphApi = {
    provider,
    tenant,
    clientId,
    addressOf(path, query) {
      // A space must be %20 and $ itself: Graph does not read the form encoding of URLSearchParams everywhere.
      const parts = Object.entries(query).map(
        ([name, value]) => `${name}=${encodeURIComponent(String(value))}`,
      );
      return new URL(`${tenant.graph}/v1.0${path}${parts.length === 0 ? '' : `?${parts.join('&')}`}`);
    },
    linkOf(link, place) {
      const url = typeof link === 'string' && URL.canParse(link) ? new URL(link) : undefined;
      if (url === undefined || url.origin !== tenant.graph || !url.pathname.startsWith('/v1.0/')) {
        throw incomplete(`${place}: a link leaves ${tenant.graph}/v1.0, where the token must not go`);
      }
      return url;
    },
    placeOf: (what) => `provider ${provider}, Microsoft Graph, ${what}`,
    async send(url, place, request, signal) {
      let token = await tokens.get(signal);
      for (let attempt = 1; ; attempt++) {
        requests++;
        const headers = { ...request.headers, authorization: `Bearer ${token}` };
        const answer = await http.request(url, place, { ...request, headers }, signal);
        // Continuous access evaluation may end a token early: worth one new one.
        if (answer.status !== 401 || attempt > 1) return answer;
        token = await tokens.get(signal, token);
      }
    },
    async find(path, query, what, signal) {
      const place = self.placeOf(what);
      const answer = await self.send(self.addressOf(path, query), place, {}, signal);
      if (answer.status === 200) return parseJson(answer, place);
      if (answer.status === 404 && errorCodeOf(answer) === 'Request_ResourceNotFound') return undefined;
      throw self.refusalOf(answer, place);
    },
    refusalOf: (answer, place) => refusalOf(answer, place, clock),
    get requests() {
      return requests;
    },
    async close() {
      tokens.close();
      await http.close();
    },
  };
  return self;
}

/**
 * `error.code` of Graph's error (https://learn.microsoft.com/graph/errors); undefined for the answer of anybody else,
 * say of a proxy.
 */
export function errorCodeOf(answer: HttpAnswer): string | undefined {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(answer.body));
    const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined;
  }
}

export function incomplete(message: string): IncompleteRead {
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
}
