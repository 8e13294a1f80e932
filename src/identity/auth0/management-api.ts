import { ClientSecretPost } from 'openid-client';
import type { z } from 'zod';
import { configError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { parseAddress } from '../address.js';
import { type ApiOptions, createApiClient, isApiNotFound, type Query } from '../api-client.js';
import { type HttpAnswer, type HttpRequest, parseJson } from '../http-client.js';
import { parseShape, textIn } from '../records.js';

/** The Management API v2 of one tenant, read only (auth0.com/docs/api/management/v2). Path segments are encoded here. */
export type ManagementApi = ReturnType<typeof createManagementApi>;

interface ApiRequest<T> {
  readonly segments: readonly string[];
  readonly query?: Query;
  readonly shape: z.ZodType<T>;
}

export interface ManagementApiOptions extends ApiOptions {
  readonly issuer: string;
  /** The tenant's own address if the issuer is a custom domain. */
  readonly tenant?: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** 100 by default. */
  readonly pageSize?: number;
}

/** auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy */
const RATE_LIMIT_RESET = { header: 'x-ratelimit-reset', minMs: 0 };

export function createManagementApi(options: ManagementApiOptions) {
  const { provider } = options;
  const tenant = parseTenant(options.issuer, options.tenant, options.insecure);
  const client = createApiClient(options, RATE_LIMIT_RESET);
  const authorize = client.byTokens({
    issuer: tenant.issuer,
    clientId: options.clientId,
    authentication: ClientSecretPost(options.clientSecret.reveal()),
    parameters: { audience: tenant.api },
    remedy:
      'check clientId and clientSecret, and that the application is authorized for the Auth0 Management API',
  });
  // Only the kinds of objects: IDs must not reach logs and metrics.
  const placeOf = (segments: readonly string[]) =>
    `provider ${provider}, ${segments.filter((_, at) => at % 2 === 0).join('/')} of ${tenant.api}`;

  const send = (
    segments: readonly string[],
    query: Query,
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    const url = new URL(tenant.api + segments.map(encodeURIComponent).join('/'));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    return client.send(url, placeOf(segments), request, authorize, signal);
  };

  return {
    ...client.api,
    tenant,
    /** Entries per request. Auth0 gives at most 100. */
    pageSize: options.pageSize ?? 100,
    /** Resolves with the answer, whatever its status. */
    send,
    /** What was read, for messages. */
    placeOf,
    /** The error for an unexpected answer. */
    refusal: (answer: HttpAnswer, segments: readonly string[]) => client.refusal(answer, placeOf(segments)),
    /** The value of a 200 in its documented shape, or the error for another answer. */
    parse<T>(shape: z.ZodType<T>, answer: HttpAnswer, segments: readonly string[]): T {
      const place = placeOf(segments);
      return parseShape(shape, client.json(answer, place), place);
    },
    /** The value of a 200 in its documented shape, or an error with the codes of Directory. */
    async get<T>({ segments, query = {}, shape }: ApiRequest<T>, signal: AbortSignal): Promise<T> {
      const place = placeOf(segments);
      return parseShape(shape, client.json(await send(segments, query, {}, signal), place), place);
    },
    /**
     * As `get`, but undefined if Auth0 itself says that the object does not exist: by the error code `absence`, or without it
     * by any.
     */
    async find<T>(
      { segments, query = {}, shape }: ApiRequest<T>,
      signal: AbortSignal,
      absence?: string,
    ): Promise<T | undefined> {
      const place = placeOf(segments);
      const answer = await send(segments, query, {}, signal);
      const isAbsent =
        absence === undefined
          ? isNotFound(answer, place)
          : isApiNotFound(answer, 'errorCode', absence, place);
      return isAbsent ? undefined : parseShape(shape, client.json(answer, place), place);
    },
  };
}

/** Auth0 itself says that the object does not exist: only its own 404 has an error code. */
function isNotFound(answer: HttpAnswer, place: string): boolean {
  return answer.status === 404 && textIn(parseJson(answer, place), 'errorCode') !== undefined;
}

/**
 * The tenant of an issuer. If the issuer is a custom domain, the Management API is still at the tenant's own address, which
 * only the configuration knows (auth0.com/docs/customize/custom-domains). Throws ERR_CONFIG for impossible addresses, and
 * for plain http to another machine unless `insecure` allows it.
 */
function parseTenant(issuer: string, tenant: string | undefined, insecure = false) {
  const url = parse(issuer, 'issuer', insecure);
  const own = tenant === undefined ? url : parse(tenant, 'tenant', insecure);
  return {
    /** The `iss` of its tokens, with its trailing slash. */
    issuer: url,
    /** `https://<tenant>.<region>.auth0.com/api/v2/`: base of the Management API, and its audience. */
    api: `${own.origin}/api/v2/`,
  };
}

function parse(text: string, field: string, insecure: boolean): URL {
  const url = parseAddress(text, field, insecure);
  if (url.pathname === '/') return url;
  throw configError(
    `${field} must be the address of an Auth0 tenant, for example https://acme.eu.auth0.com/`,
  );
}
