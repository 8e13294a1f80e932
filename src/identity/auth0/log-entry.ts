import { z } from 'zod';
import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { safeParse } from '../../safe-parse.js';

/** The fields of a tenant log entry that are read (auth0.com/docs/deploy-monitor/logs/log-event-type-codes). */
const ENTRY = z.object({
  // Restricted, so that no hint of a stream can look like the proof of the log, or like a shared signal.
  log_id: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/),
  date: z.string().max(64),
  type: z.string().max(64),
  ip: z.string().nullish(),
  user_id: z.string().nullish(),
  user_name: z.string().nullish(),
  client_id: z.string().nullish(),
  details: z.unknown().optional(),
});

/** The details of an operation. Other entries have other details. */
const DETAILS = z
  .object({
    request: z
      .object({
        method: z.string(),
        path: z.string().max(4096),
        body: z.unknown().optional(),
        auth: z
          .object({
            subject: z.string().nullish(),
            user: z.object({ user_id: z.string().nullish(), email: z.string().nullish() }).nullish(),
          })
          .nullish(),
      })
      .nullish(),
    response: z.object({ body: z.unknown().optional() }).nullish(),
  })
  .nullish();

/** One entry, from a log stream or from a poll. */
export type LogEntry = NonNullable<ReturnType<typeof parseLogEntry>>;
/** What was done through the Management API. */
export type Operation = NonNullable<LogEntry['operation']>;

/** Undefined if the value is no log entry. Streams wrap an entry in `data`, the Management API does not. */
export function parseLogEntry(value: unknown) {
  const wrapped = safeParse(z.looseObject({ log_id: z.string(), data: z.looseObject({}) }), value);
  const parsed = safeParse(
    ENTRY,
    wrapped.success ? { ...wrapped.data.data, log_id: wrapped.data.log_id } : value,
  );
  const instant = parsed.success ? Date.parse(parsed.data.date) : Number.NaN;
  if (!parsed.success || Number.isNaN(instant)) return undefined;
  const entry = parsed.data;
  // Unknown details of one entry must not stop the other entries.
  const details = safeParse(DETAILS, entry.details);
  const request = details.data?.request;
  const by = request?.auth?.user?.email ?? request?.auth?.user?.user_id ?? request?.auth?.subject;
  const id = by ?? entry.user_name ?? entry.user_id ?? entry.client_id;
  const principal = id ? { id, ...definedFields({ ip: entry.ip ?? undefined }) } : undefined;
  // Only what succeeded: `fapi` is an operation that was refused.
  const isOperation = entry.type === 'sapi';
  const path = request == null ? undefined : pathOf(request.path);
  const operation =
    !isOperation || request == null || path === undefined
      ? undefined
      : {
          /** In upper case. */
          method: request.method.toUpperCase(),
          /** Decoded segments below `/api/v2`. */
          path,
          request: objectOf(request.body),
          response: objectOf(details.data?.response?.body),
        };
  return {
    /** The same in a stream and in a poll. */
    id: entry.log_id,
    /** ISO 8601 by Auth0's clock. */
    occurredAt: new Date(instant).toISOString(),
    /** Undefined for every other entry (a login). */
    operation,
    /** There was an operation, in an unknown form. */
    isUnclear: isOperation && !details.success,
    principal,
  };
}

/** Entries of the dashboard begin with `/v2`, those of other callers with `/api/v2`. */
function pathOf(path: string): readonly string[] | undefined {
  const [, below] = /^(?:\/api)?\/v2\/([^?#]*)/.exec(path) ?? [];
  if (below === undefined) return undefined;
  try {
    return below
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}
