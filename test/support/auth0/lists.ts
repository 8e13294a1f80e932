import type { Answer, ReceivedRequest } from './server.js';

/** A page by number, as `GET /api/v2/clients` gives it: with totals where they are asked for. */
export function numbered(all: readonly unknown[], field: string, { query }: ReceivedRequest): Answer {
  const perPage = Math.min(Number(query.get('per_page') ?? 50), 100);
  const start = Number(query.get('page') ?? 0) * perPage;
  const found = all.slice(start, start + perPage);
  if (query.get('include_totals') !== 'true') return { json: found };
  return { json: { start, limit: perPage, length: found.length, total: all.length, [field]: found } };
}

/** A page by checkpoint, as `GET /api/v2/client-grants?take=` gives it: `next` is opaque and absent at the end. */
export function checkpointed(
  all: readonly { readonly id: string }[],
  field: string,
  asked: ReceivedRequest,
): Answer {
  const take = asked.query.get('take');
  if (take === null) return numbered(all, field, asked);
  const sorted = all.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const from = asked.query.get('from');
  const after = from === null ? '' : Buffer.from(from, 'base64url').toString();
  const rest = sorted.filter(({ id }) => id > after);
  const found = rest.slice(0, Math.min(Number(take), 100));
  const last = found.at(-1);
  const next =
    rest.length > found.length && last !== undefined ? Buffer.from(last.id).toString('base64url') : undefined;
  return { json: { [field]: found, ...(next === undefined ? {} : { next }) } };
}

/** Only the fields that were asked for. */
export function fieldsOf(object: object, { query }: ReceivedRequest): object {
  const fields = query.get('fields')?.split(',');
  if (fields === undefined || query.get('include_fields') === 'false') return object;
  return Object.fromEntries(Object.entries(object).filter(([name]) => fields.includes(name)));
}
