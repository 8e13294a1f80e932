import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ClientUnreadable, IncompleteRead } from '../errors.js';
import type { Members, UnreadableClient, UnreadablePeople } from './directory.js';

/** A whole answer in another form than documented, as against one that was cut off or leads elsewhere. */
export class WrongShape extends IncompleteRead {}

/** A record of a list: parsed, or with what is wrong with it. `id` is a digest where the record has none. */
export type ListRecord<T> =
  | { readonly id: string; readonly value: T; readonly fault?: undefined }
  | { readonly id: string; readonly fault: string; readonly raw: unknown };

/** The entry of a list whose records are parsed each by itself, so that one that cannot be parsed spoils no other. */
export function eachAlone<T>(entry: z.ZodType<T>, idField: string): z.ZodType<ListRecord<T>> {
  return z.unknown().transform((raw): ListRecord<T> => {
    const parsed = entry.safeParse(raw);
    const id = textIn(raw, idField) ?? `?${createHash('sha256').update(JSON.stringify(raw)).digest('hex')}`;
    return parsed.success ? { id, value: parsed.data } : { id, fault: faultOf(parsed.error), raw };
  });
}

export function readable<T>(records: readonly ListRecord<T>[]): readonly T[] {
  return records.flatMap((record) => (record.fault === undefined ? [record.value] : []));
}

export function spoilt<T>(
  records: readonly ListRecord<T>[],
): readonly { readonly fault: string; readonly raw: unknown }[] {
  return records.flatMap((record) => (record.fault === undefined ? [] : [record]));
}

/** A text in parsed JSON that nobody vouches for; undefined for an empty one. */
export function textIn(value: unknown, ...path: readonly string[]): string | undefined {
  let at = value;
  for (const name of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined;
  return typeof at === 'string' && at !== '' ? at : undefined;
}

export function toUnreadable(clientId: string | undefined, why: string): UnreadableClient {
  return clientId === undefined ? { why } : { clientId, why };
}

/** The members with the people that cannot be read, if there are any. */
export function withUnreadable(
  members: ReadonlyMap<string, readonly string[]>,
  unreadable: UnreadablePeople | undefined,
): Members {
  const isAny = unreadable !== undefined && (unreadable.hasUnnamed || unreadable.subjects.size > 0);
  return isAny ? Object.assign(new Map(members), { unreadable }) : members;
}

/**
 * Where every record is wrong it is the answer that is: another version of the API, or rights that show all in part.
 */
export function refuseIfAllSpoilt(records: readonly ListRecord<unknown>[], place: string): void {
  const [first] = spoilt(records);
  if (first === undefined || readable(records).length > 0) return;
  throw wrongShape(place, `no record can be read: ${first.fault}`);
}

export function wrongShape(place: string, what: string): WrongShape {
  return new WrongShape('ERR_DIRECTORY_INCOMPLETE', `${place}: ${what}`, { retriable: true });
}

/** A read that is about one client: an answer of another form spoils this client alone. */
export async function readingOf<T>(
  clientId: string | undefined,
  place: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof WrongShape)) throw error;
    throw new ClientUnreadable(place, clientId, error.message);
  }
}

/** The field that is wrong and no value: those are hostile and may be secret. */
function faultOf(error: z.ZodError): string {
  const at = (error.issues[0]?.path ?? []).map((part) => JSON.stringify(part)).join('.');
  return `${at === '' ? 'the record' : at.slice(0, 100)} has not the documented form`;
}
