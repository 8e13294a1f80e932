import { ClientSecretPost } from 'openid-client';
import type { Clock } from '../../clock.js';
import type { Secret } from '../../model/secret.js';
import type { Metrics } from '../../observe.js';
import { createAccessTokenSource } from '../access-token.js';
import { createHttpClient, type HttpAnswer, parseJson, refusalOf } from '../http-client.js';
import { type KeycloakIssuer, parseIssuer } from './issuer.js';

/** The Admin REST API of one realm, read only. */
export interface AdminApi {
  readonly provider: string;
  readonly issuer: KeycloakIssuer;
  readonly clientId: string;
  /** JSON of a 200, or an error by the codes of Directory. Segments are encoded here. */
  get(segments: readonly string[], query: Query, signal: AbortSignal): Promise<unknown>;
  /**
   * The same, but undefined if Keycloak itself says in so many words that the one thing asked for does not
   * exist. Any other 404 (a proxy's, a missing realm's) is an IncompleteRead.
   */
  find(segments: readonly string[], absence: string, signal: AbortSignal): Promise<unknown>;
  /** As `get`, but undefined where the token lacks the role for it (403). */
  peek(segments: readonly string[], query: Query, signal: AbortSignal): Promise<unknown>;
  /** Requests sent so far. */
  readonly requests: number;
  close(): Promise<void>;
}

export type Query = Readonly<Record<string, string | number | boolean>>;

export interface AdminApiOptions {
  readonly provider: string;
  /** `https://<host>[/<path>]/realms/<realm>` */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** For one request; 10,000 by default. */
  readonly timeoutMs?: number;
  /** Allows plain http to another machine than this one. */
  readonly insecure?: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export function createAdminApi(options: AdminApiOptions): AdminApi {
  const { provider, clientId, clock, metrics, timeoutMs } = options;
  const issuer = parseIssuer(options.issuer, options.insecure);
  const http = createHttpClient({ provider, metrics, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  const tokens = createAccessTokenSource({
    provider,
    issuer: issuer.issuer,
    plain: issuer.plain,
    clientId,
    authentication: ClientSecretPost(options.clientSecret.reveal()),
    remedy: "check clientId, clientSecret and that the client's service account is enabled",
    http,
    clock,
  });
  let requests = 0;

  const send = async (url: URL, place: string, signal: AbortSignal): Promise<HttpAnswer> => {
    let token = await tokens.get(signal);
    for (let attempt = 1; ; attempt++) {
      requests++;
      const request = { headers: { authorization: `Bearer ${token}` } };
      const answer = await http.request(url, place, request, signal);
      // Someone may have ended all sessions of the realm, this one among them: worth one new token.
      if (answer.status !== 401 || attempt > 1) return answer;
      token = await tokens.get(signal, token);
    }
  };
  const addressOf = (segments: readonly string[], query: Query) => {
    const url = new URL([issuer.admin, ...segments.map(encodeURIComponent)].join('/'));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    return url;
  };
  // Only the kind of thing is named: ids and client ids stay out of messages that reach logs and metrics.
  const placeOf = (segments: readonly string[]) =>
    `provider ${provider}, realm ${issuer.realm}, ${segments.filter((_, at) => at % 2 === 0).join('/') || 'realm'}`;

  return {
    provider,
    issuer,
    clientId,
    async get(segments, query, signal) {
      const place = placeOf(segments);
      const answer = await send(addressOf(segments, query), place, signal);
      if (answer.status !== 200) throw refusalOf(answer, place, clock);
      return parseJson(answer, place);
    },
    async peek(segments, query, signal) {
      const place = placeOf(segments);
      const answer = await send(addressOf(segments, query), place, signal);
      if (answer.status === 403) return undefined;
      if (answer.status !== 200) throw refusalOf(answer, place, clock);
      return parseJson(answer, place);
    },
    async find(segments, absence, signal) {
      const place = placeOf(segments);
      const answer = await send(addressOf(segments, {}), place, signal);
      if (answer.status === 200) return parseJson(answer, place);
      if (answer.status === 404 && saysAbsent(answer, absence, place)) return undefined;
      throw refusalOf(answer, place, clock);
    },
    get requests() {
      return requests;
    },
    async close() {
      tokens.close();
      await http.close();
    },
  };
}

function saysAbsent(answer: HttpAnswer, absence: string, place: string): boolean {
  if (!(answer.headers['content-type'] ?? '').startsWith('application/json')) return false;
  const body = parseJson(answer, place);
  return typeof body === 'object' && body !== null && 'error' in body && body.error === absence;
}
