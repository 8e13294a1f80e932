import {
  type ApiOptions,
  createApiClient,
  isApiNotFound,
  type ProviderApi,
} from '../../../src/identity/api-client.js';
import { parseJson } from '../../../src/identity/http-client.js';
import type { Secret } from '../../../src/model/secret.js';

/** The API of the identity provider, read only. */
export interface TemplateApi extends ProviderApi {
  /** The JSON of a 200. Any other answer is an error with the codes of `Directory`. */
  get(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown>;
  /** As `get`, but undefined if the identity provider itself says that the object does not exist. */
  find(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown>;
  /** Whether the access token may read this path. */
  may(path: string, signal: AbortSignal): Promise<boolean>;
}

export interface TemplateApiOptions extends ApiOptions {
  readonly issuer: string;
  readonly apiToken: Secret;
}

// The adapter needs no timeouts, no limits of the body, and no waits after a 429: the transport, the queue and the poll have
// them. For OAuth client credentials use `client.byTokens` instead of a constant token.
export function createTemplateApi(options: TemplateApiOptions): TemplateApi {
  const { provider, issuer, apiToken } = options;
  const client = createApiClient(options);
  const authorize = async () => `Bearer ${apiToken.reveal()}`;
  // The place is in errors, which reach logs. So it contains no ID, no query and no secret.
  const placeOf = (path: string) => `provider ${provider}, ${path}`;

  const send = (path: string, query: Readonly<Record<string, string>>, signal: AbortSignal) => {
    const url = new URL(issuer + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return client.send(url, placeOf(path), {}, authorize, signal);
  };

  return {
    ...client.api,
    get: async (path, query, signal) => client.json(await send(path, query, signal), placeOf(path)),
    async find(path, query, signal) {
      const answer = await send(path, query, signal);
      if (answer.status === 200) return parseJson(answer, placeOf(path));
      // A gateway that lost its route answers 404 too. Only the identity provider's own error code proves the absence.
      if (isApiNotFound(answer, 'error', 'client_not_found', placeOf(path))) return undefined;
      throw client.refusal(answer, placeOf(path));
    },
    async may(path, signal) {
      const answer = await send(path, { limit: '1' }, signal);
      if (answer.status === 200) return true;
      if (answer.status === 403) return false;
      throw client.refusal(answer, placeOf(path));
    },
  };
}
