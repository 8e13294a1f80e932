import type { Clock } from '../../../src/clock.js';
import {
  createHttpClient,
  type HttpAnswer,
  parseJson,
  refusalOf,
} from '../../../src/identity/http-client.js';
import type { Secret } from '../../../src/model/secret.js';
import type { Metrics } from '../../../src/observe.js';

/** The IdP's API, read only. */
export interface TemplateApi {
  /** JSON of a 200; anything else is an error by the codes of `Directory`. */
  get(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown>;
  /** The same, but undefined where the IdP itself says that the one thing asked for does not exist. */
  find(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown>;
  /** Whether the token may read this. */
  may(path: string, signal: AbortSignal): Promise<boolean>;
  /** Requests sent so far; large tenants have limits, so each comparison says what it cost. */
  readonly requests: number;
  close(): Promise<void>;
}

export interface TemplateApiOptions {
  readonly provider: string;
  readonly issuer: string;
  readonly apiToken: Secret;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

// Time-outs, the longest body, and waiting after a 429 are not the adapter's: the transport, the queue and the poll
// have them. For OAuth client credentials take src/identity/access-token.ts instead of a fixed token.
export function createTemplateApi(options: TemplateApiOptions): TemplateApi {
  const { provider, issuer, apiToken, clock } = options;
  const http = createHttpClient(options);
  let requests = 0;
  // Named in errors, which reach logs: no ids, no query, no secret.
  const placeOf = (path: string) => `provider ${provider}, ${path}`;

  const send = (path: string, query: Readonly<Record<string, string>>, signal: AbortSignal) => {
    requests++;
    const url = new URL(issuer + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const headers = { authorization: `Bearer ${apiToken.reveal()}` };
    return http.request(url, placeOf(path), { headers }, signal);
  };

  return {
    async get(path, query, signal) {
      const answer = await send(path, query, signal);
      if (answer.status !== 200) throw refusalOf(answer, placeOf(path), clock);
      return parseJson(answer, placeOf(path));
    },
    async find(path, query, signal) {
      const answer = await send(path, query, signal);
      if (answer.status === 200) return parseJson(answer, placeOf(path));
      // A gateway that lost its route says 404 as well: absence needs the IdP's own words.
      if (answer.status === 404 && saysAbsent(answer, placeOf(path))) return undefined;
      throw refusalOf(answer, placeOf(path), clock);
    },
    async may(path, signal) {
      const answer = await send(path, { limit: '1' }, signal);
      if (answer.status === 200) return true;
      if (answer.status === 403) return false;
      throw refusalOf(answer, placeOf(path), clock);
    },
    get requests() {
      return requests;
    },
    close: () => http.close(),
  };
}

function saysAbsent(answer: HttpAnswer, place: string): boolean {
  const body = parseJson(answer, place);
  return typeof body === 'object' && body !== null && 'error' in body && body.error === 'client_not_found';
}
