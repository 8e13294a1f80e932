import type { DecisionRow } from '../answers.js';

const COLUMNS = {
  time: ({ time }) => time,
  id: ({ id }) => id,
  kind: ({ kind }) => kind,
  verb: ({ verb }) => verb,
  action: ({ action }) => action,
  outcome: ({ outcome }) => outcome,
  reason: ({ reason }) => reason,
  subject: ({ subject }) => subject,
  from: ({ from }) => from,
  to: ({ to }) => to,
  client: ({ client }) => client && `${client.provider}/${client.id}`,
  person: ({ person }) => person,
  scopes: ({ scopes }) => scopes.join(' '),
  by: ({ by }) => by,
  cause: ({ cause }) => cause,
  detail: ({ detail }) => detail,
  latencyMs: ({ latencyMs }) => latencyMs,
  sequence: ({ sequence }) => sequence,
} satisfies Readonly<Record<string, (row: DecisionRow) => string | number | null>>;

/** Decisions as CSV (RFC 4180). */
export function csvOf(rows: readonly DecisionRow[]): string {
  const lines = rows.map((row) => Object.values(COLUMNS).map((read) => cellOf(read(row))));
  return [Object.keys(COLUMNS), ...lines].map((cells) => `${cells.join(',')}\r\n`).join('');
}

/** A spreadsheet computes a text that begins with one of these signs, and texts come from outside. */
function cellOf(value: string | number | null): string {
  const text = String(value ?? '');
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
