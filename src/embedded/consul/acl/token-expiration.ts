import { formatGoDuration, goDurationError, parseGoDuration } from '../../../model/go-duration.js';
import { badRequest, serverFailure } from '../exchange.js';

const shortestNs = 60e9;
const longestNs = 86_400e9;

/** When a token made at `created` (ms) ends, in ISO 8601; undefined for never. Throws in Consul's words. */
export function expirationOf(created: number, ttl: string, time: string): string | undefined {
  if (ttl === '' && time === '') return undefined;
  const ttlNs = ttl === '' ? 0 : parseGoDuration(ttl);
  if (ttlNs === undefined) throw badRequest(`Token decoding failed: ${goDurationError(ttl)}`);
  if (ttlNs < 0) throw serverFailure(`Token Expiration TTL '${formatGoDuration(ttlNs)}' should be > 0`);
  if (ttlNs > 0 && time !== '') {
    throw serverFailure('Token Expiration TTL and Expiration Time cannot both be set');
  }
  if (ttlNs === 0 && time === '') return undefined;
  const at = ttlNs > 0 ? created + ttlNs / 1e6 : Date.parse(time);
  if (at < created) throw serverFailure('ExpirationTime cannot be before CreateTime');
  const inNs = (at - created) * 1e6;
  const was = `in the future (was ${formatGoDuration(inNs)})`;
  if (inNs > longestNs)
    throw serverFailure(`ExpirationTime cannot be more than ${formatGoDuration(longestNs)} ${was}`);
  if (inNs < shortestNs)
    throw serverFailure(`ExpirationTime cannot be less than ${formatGoDuration(shortestNs)} ${was}`);
  return new Date(at).toISOString();
}

/** Throws where an auth method's MaxTokenTTL is out of range; 0 means no TTL. */
export function requireMethodTtl(ns: number): void {
  if (ns === 0) return;
  const was = `MaxTokenTTL ${formatGoDuration(ns)}`;
  if (ns > longestNs) throw serverFailure(`${was} cannot be more than ${formatGoDuration(longestNs)}`);
  if (ns < shortestNs) throw serverFailure(`${was} cannot be less than ${formatGoDuration(shortestNs)}`);
}
