import { jsonIn } from '../../model/json-in.js';
import { invalidEvent } from '../event-body.js';
import type { EventSource } from '../source.js';
import { createWebhook, type SourceOptions, verifyAuthorization } from '../webhook.js';
import { toIdentityEvents } from './events.js';
import { type LogEntry, parseLogEntry } from './log-entry.js';
import type { Auth0Names } from './names.js';

/** Entries per request. */
const MAX_ENTRIES = 10_000;

/**
 * Log entries from a custom webhook stream, as JSON lines, an array, or an object
 * (auth0.com/docs/customize/log-streams/custom-log-streams). The header proves only that the sender knows the secret. So an
 * entry is a hint, and its ID shows whether it was received before.
 */
export function createAuth0Source({
  provider,
  secrets,
  names,
}: SourceOptions & { readonly names: Auth0Names }): EventSource {
  return createWebhook({
    provider,
    verify: (request) => verifyAuthorization(secrets, request),
    receive({ body, receivedAt }) {
      const context = { provider, kind: 'webhook', receivedAt, names } as const;
      return { events: parse(body).flatMap((entry) => toIdentityEvents(entry, context)) };
    },
  });
}

function parse(body: Uint8Array): readonly LogEntry[] {
  const values = valuesIn(textOf(body));
  if (values === undefined || values.length === 0)
    throw invalidEvent('the request body is not JSON, as lines, an array or an object');
  if (values.length > MAX_ENTRIES)
    throw invalidEvent(`the request body has more than ${MAX_ENTRIES} entries`);
  return values.map((value) => {
    const entry = parseLogEntry(value);
    if (entry === undefined) throw invalidEvent('an entry is not a log entry of Auth0');
    return entry;
  });
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw invalidEvent('the request body is not UTF-8');
  }
}

function valuesIn(text: string): readonly unknown[] | undefined {
  const whole = jsonIn(text);
  if (whole !== undefined) {
    if (Array.isArray(whole)) return whole;
    const { logs }: { logs?: unknown } = typeof whole === 'object' ? { ...whole } : {};
    return Array.isArray(logs) ? logs : [whole];
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const values = lines.map(jsonIn);
  return values.every((each) => each !== undefined) ? values : undefined;
}
