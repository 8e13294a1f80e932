import { ClientSecretPost } from 'openid-client';
import type { z } from 'zod';
import type { Clock } from '../../clock.js';
import { IncompleteRead, SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import type { Metrics } from '../../observe.js';
import { createAccessTokenSource } from '../access-token.js';
import {
  createHttpClient,
  type HttpAnswer,
  type HttpRequest,
  nowThere,
  parseJson,
  refusalOf,
} from '../http-client.js';
import { type Auth0Tenant, parseTenant } from './tenant.js';

/** The Management API v2 of one tenant, read only (auth0.com/docs/api/management/v2). */
export interface ManagementApi {
  readonly provider: string;
  readonly tenant: Auth0Tenant;
  /** A 200 of the expected shape with its headers, or an error by the codes of Directory. Segments are encoded here. */
  get<T>(
    request: ApiRequest<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T; readonly answer: HttpAnswer }>;
  /** The same, but undefined where Auth0 itself says with this error code that the one thing asked for does not exist. */
  find<T>(request: ApiRequest<T>, absence: string, signal: AbortSignal): Promise<T | undefined>;
  /** Whatever comes back, with the token that a refused one was exchanged for. */
  send(
    segments: readonly string[],
    query: Query,
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpAnswer>;
  /** The error that an unexpected answer stands for. */
  refusal(answer: HttpAnswer, segments: readonly string[]): SyncError;
  /** Entries asked for at a time; Auth0 gives 100 at most. */
  readonly pageSize: number;
  /** Requests sent so far. */
  readonly requests: number;
  close(): Promise<void>;
}

export type Query = Readonly<Record<string, string | number | boolean>>;

export interface ApiRequest<T> {
  readonly segments: readonly string[];
  readonly query?: Query;
  readonly shape: z.ZodType<T>;
}

export interface ManagementApiOptions {
  readonly provider: string;
  readonly issuer: string;
  /** The tenant's own address, where the issuer is a custom domain. */
  readonly tenant?: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** 100 by default. */
  readonly pageSize?: number;
  /** For one request; 10,000 by default. */
  readonly timeoutMs?: number;
  readonly insecure?: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

const LONGEST_WAIT_MS = 3_600_000;

export function createManagementApi(options: ManagementApiOptions): ManagementApi {
  const { provider, clientId, clock, metrics, timeoutMs } = options;
  const tenant = parseTenant(options.issuer, options.tenant, options.insecure);
  const http = createHttpClient({ provider, metrics, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  const tokens = createAccessTokenSource({
    provider,
    issuer: tenant.issuer,
    plain: tenant.plain,
    clientId,
    authentication: ClientSecretPost(options.clientSecret.reveal()),
    parameters: { audience: tenant.api },
    remedy:
      'check clientId and clientSecret, and that the application is authorized for the Auth0 Management API',
    http,
    clock,
  });
  let requests = 0;
  // Only the kind of thing is named: ids stay out of messages that reach logs and metrics.
  const placeOf = (segments: readonly string[]) =>
    `provider ${provider}, ${segments.filter((_, at) => at % 2 === 0).join('/')} of ${tenant.api}`;

  const send: ManagementApi['send'] = async (segments, query, request, signal) => {
    const url = new URL(tenant.api + segments.map(encodeURIComponent).join('/'));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    let token = await tokens.get(signal);
    for (let attempt = 1; ; attempt++) {
      requests++;
      const headers = { ...request.headers, authorization: `Bearer ${token}` };
      const answer = await http.request(url, placeOf(segments), { ...request, headers }, signal);
      if (answer.status !== 401 || attempt > 1) return answer;
      token = await tokens.get(signal, token);
    }
  };
  const refusal = (answer: HttpAnswer, segments: readonly string[]): SyncError => {
    const retryAfterMs = resetAfterMs(answer, nowThere(answer, clock));
    const refused = refusalOf(answer, placeOf(segments), clock);
    if (answer.status !== 429 || refused.retryAfterMs !== undefined || retryAfterMs === undefined)
      return refused;
    return new SyncError(refused.code, refused.message, { retriable: true, retryAfterMs });
  };
  const parse = <T>({ segments, shape }: ApiRequest<T>, answer: HttpAnswer): T => {
    const parsed = shape.safeParse(parseJson(answer, placeOf(segments)));
    if (parsed.success) return parsed.data;
    // The place of what is wrong, never its content, which is hostile and may be secret.
    const at = parsed.error.issues[0]?.path.join('.') ?? '';
    const message = `${placeOf(segments)}: the answer has another form than documented, at "${at.slice(0, 100)}"`;
    throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
  };

  return {
    provider,
    tenant,
    pageSize: options.pageSize ?? 100,
    send,
    refusal,
    async get(request, signal) {
      const answer = await send(request.segments, request.query ?? {}, {}, signal);
      if (answer.status !== 200) throw refusal(answer, request.segments);
      return { value: parse(request, answer), answer };
    },
    async find(request, absence, signal) {
      const answer = await send(request.segments, request.query ?? {}, {}, signal);
      if (answer.status === 200) return parse(request, answer);
      if (answer.status === 404 && saysAbsent(answer, absence, placeOf(request.segments))) return undefined;
      throw refusal(answer, request.segments);
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
  return typeof body === 'object' && body !== null && 'errorCode' in body && body.errorCode === absence;
}

/** `x-ratelimit-reset` is in seconds since the epoch (auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy). */
function resetAfterMs(answer: HttpAnswer, nowMs: number): number | undefined {
  const reset = answer.headers['x-ratelimit-reset'];
  if (reset === undefined || !/^\d{1,11}$/.test(reset)) return undefined;
  return Math.min(Math.max(Number(reset) * 1000 - nowMs, 0), LONGEST_WAIT_MS);
}
