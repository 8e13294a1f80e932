import { ClientSecretPost } from 'openid-client';
import type { Secret } from '../../model/secret.js';
import { type ApiOptions, createApiClient, isApiNotFound, type Query } from '../api-client.js';
import { wrongShape } from '../read-errors.js';
import { parseIssuer } from './issuer.js';

/** The Admin REST API of one realm, read only. Path segments are encoded here. */
export type AdminApi = ReturnType<typeof createAdminApi>;

export interface AdminApiOptions extends ApiOptions {
  /** `https://<host>[/<path>]/realms/<realm>` */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
}

export function createAdminApi(options: AdminApiOptions) {
  const { provider, clientId } = options;
  const issuer = parseIssuer(options.issuer, options.insecure);
  const client = createApiClient(options);
  const authorize = client.byTokens({
    issuer: issuer.issuer,
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
  const get = async (segments: readonly string[], query: Query, signal: AbortSignal): Promise<unknown> =>
    client.json(await send(segments, query, signal), pathOf(segments));

  return {
    ...client.api,
    issuer,
    clientId,
    /** What was read, for messages. */
    placeOf,
    /** The JSON of a 200, or an error with the codes of Directory. */
    get,
    /** As `get`, for a list. */
    async list(segments: readonly string[], query: Query, signal: AbortSignal): Promise<readonly unknown[]> {
      const answer = await get(segments, query, signal);
      if (!Array.isArray(answer)) throw wrongShape(pathOf(segments), 'the answer is not a list');
      return answer;
    },
    /** As `get`, but undefined if the token lacks the role for it (403). */
    async peek(segments: readonly string[], query: Query, signal: AbortSignal): Promise<unknown> {
      const answer = await send(segments, query, signal);
      return answer.status === 403 ? undefined : client.json(answer, pathOf(segments));
    },
    /**
     * As `get`, but undefined if Keycloak itself answers with the error `absence`. Any other 404 is an IncompleteRead. `what`
     * was read, for messages; without it the segments at even positions, which then must be no IDs.
     */
    async find(
      segments: readonly string[],
      absence: string,
      signal: AbortSignal,
      what?: string,
    ): Promise<unknown> {
      const place = what === undefined ? pathOf(segments) : placeOf(what);
      const answer = await send(segments, {}, signal, place);
      return isApiNotFound(answer, 'error', absence, place) ? undefined : client.json(answer, place);
    },
  };
}
