import { IssuerRedirects } from '../errors.js';
import type { Runtime } from '../runtime.js';
import { createHttpClient, type HttpClientOptions, parseJson, refusalOf } from './http-client.js';
import { incomplete } from './read-errors.js';

interface DiscoveryOptions
  extends Pick<Runtime, 'clock' | 'metrics'>,
    Pick<HttpClientOptions, 'caCert' | 'proxy'> {
  readonly provider: string;
  /** The `iss` of tokens. */
  readonly issuer: string;
  /** For the whole exchange; 5,000 by default. */
  readonly timeoutMs?: number;
}

/** Longer than any provider's document. */
const MAX_BYTES = 1024 * 1024;

/**
 * The address of a provider's key set, from its discovery document (OpenID Connect Discovery 1.0, section 4). The
 * connection lasts for this one request. Throws as `HttpClient.request`, IssuerRedirects, and ERR_DIRECTORY_INCOMPLETE if the document is
 * for another issuer (section 4.3), or if it names keys over a less secure transport than its own.
 */
export async function readJwksUri(options: DiscoveryOptions, signal: AbortSignal): Promise<string> {
  const { issuer, clock, timeoutMs = 5_000 } = options;
  const place = 'discovery document';
  const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const client = createHttpClient({ ...options, timeoutMs, maxBytes: MAX_BYTES, connections: 1 });
  try {
    const answer = await client.request(url, place, {}, signal);
    if (answer.status >= 300 && answer.status < 400)
      throw new IssuerRedirects(
        'ERR_DIRECTORY_INCOMPLETE',
        `${place}: it answers ${answer.status}, a redirect; set issuer to the URL that the document names as its issuer`,
        { retriable: false },
      );
    if (answer.status !== 200) throw refusalOf(answer, place, clock);
    const document = Object(parseJson(answer, place));
    if (document.issuer !== issuer) {
      const why = 'it names another issuer; write the issuer exactly as the provider does';
      throw incomplete(place, why, false);
    }
    const address: unknown = document.jwks_uri;
    const keys = typeof address === 'string' && URL.canParse(address) ? new URL(address) : undefined;
    const isSafe = keys?.protocol === 'https:' || (keys?.protocol === 'http:' && url.protocol === 'http:');
    if (keys === undefined || !isSafe || keys.username !== '' || keys.password !== '')
      throw incomplete(place, 'it names no https address for the key set (jwks_uri)', false);
    return keys.href;
  } finally {
    await client.close();
  }
}
