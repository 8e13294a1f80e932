import { parseGoDuration } from '../../model/go-duration.js';

/** Seconds of a duration as Consul writes it (`1h0m0s`, `1m0.5s`); undefined for anything else. */
export function parseDurationSeconds(text: string): number | undefined {
  const ns = text.length > 40 ? undefined : parseGoDuration(text);
  return ns === undefined || ns < 0 ? undefined : ns / 1e9;
}
