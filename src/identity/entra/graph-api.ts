import { jsonIn } from '../../model/json-in.js';
import { type ApiOptions, createApiClient, type Query } from '../api-client.js';
import type { HttpAnswer, HttpRequest } from '../http-client.js';
import { incomplete } from '../read-errors.js';
import { textIn } from '../records.js';
import { type EntraCredential, toClientAuth } from './credential.js';
import { parseTenant } from './tenant.js';

/** Microsoft Graph 1.0 for one tenant, read as the application of scopemesh there. */
export type GraphApi = ReturnType<typeof createGraphApi>;

export interface GraphApiOptions extends ApiOptions {
  readonly issuer: string;
  /** The origin of Microsoft Graph in the tenant's cloud. */
  readonly graph: string;
  readonly clientId: string;
  readonly credential: EntraCredential;
}

export function createGraphApi(options: GraphApiOptions) {
  const { provider } = options;
  const clientId = options.clientId.toLowerCase();
  const tenant = parseTenant(options.issuer, options.graph, options.insecure);
  const client = createApiClient(options);
  const authorize = client.byTokens({
    issuer: tenant.issuer,
    clientId,
    authentication: toClientAuth(options.credential),
    parameters: { scope: `${tenant.graph}/.default` },
    remedy: 'check clientId and its credential, and that its enterprise application is enabled',
  });

  const addressOf = (path: string, query: Query): URL => {
    // A space must be %20 and $ must stay $. Graph does not accept the form encoding of URLSearchParams everywhere.
    const parts = Object.entries(query).map(
      ([name, value]) => `${name}=${encodeURIComponent(String(value))}`,
    );
    return new URL(`${tenant.graph}/v1.0${path}${parts.length === 0 ? '' : `?${parts.join('&')}`}`);
  };
  const placeOf = (what: string) => `provider ${provider}, Microsoft Graph, ${what}`;
  const send = (url: URL, place: string, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> =>
    client.send(url, place, request, authorize, signal);

  return {
    ...client.api,
    tenant,
    /** In lower case, as Graph writes it. */
    clientId,
    /** `path` below `/v1.0`. Its IDs must be valid already. */
    addressOf,
    /** A link that Graph wrote (`@odata.nextLink`). It must not lead elsewhere, because it is requested with our token. */
    linkOf(link: unknown, place: string): URL {
      const url = typeof link === 'string' && URL.canParse(link) ? new URL(link) : undefined;
      if (url?.origin === tenant.graph && url.pathname.startsWith('/v1.0/')) return url;
      throw incomplete(
        place,
        `a link leads away from ${tenant.graph}/v1.0, where the access token must not go`,
      );
    },
    /** What was requested, for messages. It contains no object ID and no client ID. */
    placeOf,
    /** Resolves with the answer, whatever its status. */
    send,
    /** The JSON of a 200. Undefined if Graph itself says that the object does not exist. Otherwise an error as of Directory. */
    async find(path: string, query: Query, what: string, signal: AbortSignal): Promise<unknown> {
      const place = placeOf(what);
      const answer = await send(addressOf(path, query), place, {}, signal);
      return isNotFound(answer) ? undefined : client.json(answer, place);
    },
    /** The JSON of a 200. Any other answer throws, with the codes of Directory. */
    json: client.json,
    /** The error for an unexpected answer. */
    refusalOf: client.refusal,
  };
}

/** Graph itself says that the object does not exist. */
export function isNotFound(answer: HttpAnswer): boolean {
  return answer.status === 404 && errorCodeOf(answer) === 'Request_ResourceNotFound';
}

/** `error.code` of Graph's error (https://learn.microsoft.com/graph/errors). Undefined if another server answers. */
export function errorCodeOf(answer: HttpAnswer): string | undefined {
  return textIn(jsonIn(new TextDecoder().decode(answer.body)), 'error', 'code');
}
