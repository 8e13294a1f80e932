import { ClientSecretPost } from 'openid-client';
import type { Secret } from '../../model/secret.js';
import {
  type ApiOptions,
  createApiClient,
  isApiNotFound,
  type ProviderApi,
  type Query,
} from '../api-client.js';
import { parseJson } from '../http-client.js';
import { wrongShape } from '../read-errors.js';
import { type KeycloakIssuer, parseIssuer } from './issuer.js';

/** The Admin REST API of one realm, read only. Path segments are encoded here. */
export interface AdminApi extends ProviderApi {
  readonly issuer: KeycloakIssuer;
  readonly clientId: string;
  /** What was read, for messages. */
  placeOf(what: string): string;
  /** The JSON of a 200, or an error with the codes of Directory. */
  get(segments: readonly string[], query: Query, signal: AbortSignal): Promise<unknown>;
  /** As `get`, for a list. */
  list(segments: readonly string[], query: Query, signal: AbortSignal): Promise<readonly unknown[]>;
  /**
   * As `get`, but undefined if Keycloak itself answers with the error `absence`. Any other 404 is an IncompleteRead. `what`
   * was read, for messages; without it the segments at even positions, which then must be no IDs.
   */
  find(segments: readonly string[], absence: string, signal: AbortSignal, what?: string): Promise<unknown>;
  /** As `get`, but undefined if the token lacks the role for it (403). */
  peek(segments: readonly string[], query: Query, signal: AbortSignal): Promise<unknown>;
}

export interface AdminApiOptions extends ApiOptions {
  /** `https://<host>[/<path>]/realms/<realm>` */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
}

export function createAdminApi(options: AdminApiOptions): AdminApi {
  const { provider, clientId } = options;
  const issuer = parseIssuer(options.issuer, options.insecure);
  const client = createApiClient(options);
  const authorize = client.byTokens({
    issuer: issuer.issuer,
    plain: issuer.plain,
    clientId,
    authentication: ClientSecretPost(options.clientSecret.reveal()),
    remedy: 'check clientId and clientSecret, and that the service account of the client is enabled',
  });
  const placeOf = (what: string) => `provider ${provider}, realm ${issuer.realm}, ${what}`;
  // Only the kinds of objects: IDs must not reach logs and metrics.
  const pathOf = (segments: readonly string[]) =>
    placeOf(segments.filter((_, at) => at % 2 === 0).join('/') || 'realm');

  const send = (segments: readonly string[], query: Query, signal: AbortSignal, place = pathOf(segments)) => {
    const url = new URL([issuer.admin, ...segments.map(encodeURIComponent)].join('/'));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    return client.send(url, place, {}, authorize, signal);
  };
  const get: AdminApi['get'] = async (segments, query, signal) =>
    client.json(await send(segments, query, signal), pathOf(segments));

  return {
    ...client.api,
    issuer,
    clientId,
    placeOf,
    get,
    async list(segments, query, signal) {
      const answer = await get(segments, query, signal);
      if (!Array.isArray(answer)) throw wrongShape(pathOf(segments), 'the answer is not a list');
      return answer;
    },
    async peek(segments, query, signal) {
      const answer = await send(segments, query, signal);
      return answer.status === 403 ? undefined : client.json(answer, pathOf(segments));
    },
    async find(segments, absence, signal, what) {
      const place = what === undefined ? pathOf(segments) : placeOf(what);
      const answer = await send(segments, {}, signal, place);
      if (isApiNotFound(answer, 'error', absence, place)) return undefined;
      if (answer.status === 200) return parseJson(answer, place);
      throw client.refusal(answer, place);
    },
  };
}
