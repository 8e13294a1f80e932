import type { Clock } from '../clock.js';
import { IncompleteRead } from '../errors.js';
import type { Metrics } from '../observe.js';
import { createHttpClient, parseJson, refusalOf } from './http-client.js';

export interface DiscoveryOptions {
  readonly provider: string;
  /** As it stands in tokens. */
  readonly issuer: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** For the whole exchange; 5,000 by default. */
  readonly timeoutMs?: number;
}

/** Longer than any provider's document. */
const MOST_BYTES = 1024 * 1024;

/**
 * Where a provider's keys are, by its discovery document (OpenID Connect Discovery 1.0, section 4). The connection
 * lasts for the one request. Throws as `HttpClient.request`, and ERR_DIRECTORY_INCOMPLETE for a document of another
 * issuer (section 4.3), or one whose keys come by a worse transport than the document itself.
 */
export async function readJwksUri(options: DiscoveryOptions, signal: AbortSignal): Promise<string> {
  const { provider, issuer, clock, metrics, timeoutMs = 5_000 } = options;
  const place = 'discovery document';
  const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const client = createHttpClient({ provider, metrics, timeoutMs, maxBytes: MOST_BYTES, connections: 1 });
  try {
    const answer = await client.request(url, place, {}, signal);
    if (answer.status !== 200) throw refusalOf(answer, place, clock);
    const found = Object(parseJson(answer, place));
    if (found.issuer !== issuer)
      throw incomplete(place, "it is another issuer's; write the issuer exactly as the provider does");
    const keys = typeof found.jwks_uri === 'string' ? parseUrl(found.jwks_uri) : undefined;
    const isSafe = keys?.protocol === 'https:' || (keys?.protocol === 'http:' && url.protocol === 'http:');
    if (keys === undefined || !isSafe || keys.username !== '' || keys.password !== '')
      throw incomplete(place, 'it names no key set that could be fetched safely');
    return keys.href;
  } finally {
    await client.close();
  }
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function incomplete(place: string, why: string): IncompleteRead {
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: ${why}`, { retriable: false });
}
