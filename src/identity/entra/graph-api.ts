import { jsonIn } from '../../model/json-in.js';
import { type ApiOptions, createApiClient, type ProviderApi, type Query } from '../api-client.js';
import { type HttpAnswer, type HttpRequest, parseJson } from '../http-client.js';
import { incomplete } from '../read-errors.js';
import { textIn } from '../records.js';
import { type EntraCredential, toClientAuth } from './credential.js';
import { type EntraTenant, parseTenant } from './tenant.js';

/** Microsoft Graph 1.0 for one tenant, read as the application of scopemesh there. */
export interface GraphApi extends ProviderApi {
  readonly tenant: EntraTenant;
  /** In lower case, as Graph writes it. */
  readonly clientId: string;
  /** `path` below `/v1.0`. Its IDs must be valid already. */
  addressOf(path: string, query: Query): URL;
  /** A link that Graph wrote (`@odata.nextLink`). It must not lead elsewhere, because it is requested with our token. */
  linkOf(link: unknown, place: string): URL;
  /** What was requested, for messages. It contains no object ID and no client ID. */
  placeOf(what: string): string;
  /** Resolves with the answer, whatever its status. */
  send(url: URL, place: string, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /** The JSON of a 200. Undefined if Graph itself says that the object does not exist. Otherwise an error as of Directory. */
  find(path: string, query: Query, what: string, signal: AbortSignal): Promise<unknown>;
  refusalOf(answer: HttpAnswer, place: string): Error;
}

export interface GraphApiOptions extends ApiOptions {
  readonly issuer: string;
  /** The origin of Microsoft Graph in the tenant's cloud. */
  readonly graph: string;
  readonly clientId: string;
  readonly credential: EntraCredential;
}

export function createGraphApi(options: GraphApiOptions): GraphApi {
  const { provider } = options;
  const clientId = options.clientId.toLowerCase();
  const tenant = parseTenant(options.issuer, options.graph, options.insecure);
  const client = createApiClient(options);
  const authorize = client.byTokens({
    issuer: tenant.issuer,
    plain: tenant.plain,
    clientId,
    authentication: toClientAuth(options.credential),
    parameters: { scope: `${tenant.graph}/.default` },
    remedy: 'check clientId and its credential, and that its enterprise application is enabled',
  });

  const self: GraphApi = {
    ...client.api,
    tenant,
    clientId,
    addressOf(path, query) {
      // A space must be %20 and $ must stay $. Graph does not accept the form encoding of URLSearchParams everywhere.
      const parts = Object.entries(query).map(
        ([name, value]) => `${name}=${encodeURIComponent(String(value))}`,
      );
      return new URL(`${tenant.graph}/v1.0${path}${parts.length === 0 ? '' : `?${parts.join('&')}`}`);
    },
    linkOf(link, place) {
      const url = typeof link === 'string' && URL.canParse(link) ? new URL(link) : undefined;
      if (url?.origin === tenant.graph && url.pathname.startsWith('/v1.0/')) return url;
      throw incomplete(
        place,
        `a link leads away from ${tenant.graph}/v1.0, where the access token must not go`,
      );
    },
    placeOf: (what) => `provider ${provider}, Microsoft Graph, ${what}`,
    send: (url, place, request, signal) => client.send(url, place, request, authorize, signal),
    async find(path, query, what, signal) {
      const place = self.placeOf(what);
      const answer = await self.send(self.addressOf(path, query), place, {}, signal);
      if (answer.status === 200) return parseJson(answer, place);
      if (isNotFound(answer)) return undefined;
      throw client.refusal(answer, place);
    },
    refusalOf: client.refusal,
  };
  return self;
}

/** Graph itself says that the object does not exist. */
export function isNotFound(answer: HttpAnswer): boolean {
  return answer.status === 404 && errorCodeOf(answer) === 'Request_ResourceNotFound';
}

/** `error.code` of Graph's error (https://learn.microsoft.com/graph/errors). Undefined if another server answers. */
export function errorCodeOf(answer: HttpAnswer): string | undefined {
  return textIn(jsonIn(new TextDecoder().decode(answer.body)), 'error', 'code');
}
