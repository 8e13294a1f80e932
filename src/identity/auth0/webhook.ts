import { RejectedEvent } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { invalidEvent } from '../event-body.js';
import { verifyStaticSecret } from '../signature.js';
import type { EventSource, RawRequest } from '../source.js';
import { toIdentityEvents } from './events.js';
import { type LogEntry, parseLogEntry } from './log-entry.js';
import type { Auth0Names } from './names.js';

export interface Auth0SourceOptions {
  readonly provider: string;
  /** The whole value of the `Authorization` header; several while one is rotated. */
  readonly secrets: readonly Secret[];
  readonly names: Auth0Names;
  /** The longest body; 1 MiB by default. */
  readonly maxBytes?: number;
}

/** Entries to one request. */
const MOST_ENTRIES = 10_000;

/**
 * Log entries as a custom webhook stream sends them, as JSON lines, an array, or an object
 * (auth0.com/docs/customize/log-streams/custom-log-streams). The header proves only that the sender knows the secret:
 * what comes is a hint, and the id of each entry tells it apart when it comes again.
 */
export function createAuth0Source(options: Auth0SourceOptions): EventSource {
  const { provider, secrets, names, maxBytes = 1024 * 1024 } = options;
  return {
    provider,
    async receive(request) {
      if (request.body.byteLength > maxBytes)
        throw new RejectedEvent('ERR_EVENT_INVALID', `the event is longer than ${maxBytes} bytes`, 413);
      if (!verifyStaticSecret(secrets, request.headers.authorization))
        throw new RejectedEvent('ERR_SIGNATURE', 'the event has not the Authorization of this stream', 401);
      const context = { provider, kind: 'webhook', receivedAt: request.receivedAt, names } as const;
      return { kind: 'events', events: parse(request).flatMap((entry) => toIdentityEvents(entry, context)) };
    },
  };
}

function parse(request: RawRequest): readonly LogEntry[] {
  const values = valuesIn(textOf(request.body));
  if (values === undefined || values.length === 0)
    throw invalidEvent('the event is not JSON, as lines, an array or an object');
  if (values.length > MOST_ENTRIES) throw invalidEvent(`the event has more than ${MOST_ENTRIES} entries`);
  return values.map((value) => {
    const entry = parseLogEntry(value);
    if (entry === undefined) throw invalidEvent('an entry is none that Auth0 sends');
    return entry;
  });
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw invalidEvent('the event is not UTF-8');
  }
}

function valuesIn(text: string): readonly unknown[] | undefined {
  const whole = parseJson(text);
  if (whole !== undefined) {
    if (Array.isArray(whole.value)) return whole.value;
    const { logs }: { logs?: unknown } = typeof whole.value === 'object' ? { ...whole.value } : {};
    return Array.isArray(logs) ? logs : [whole.value];
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const values = lines.map(parseJson);
  return values.every((each) => each !== undefined) ? values.map(({ value }) => value) : undefined;
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
