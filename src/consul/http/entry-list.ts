import { messageOf, SyncError } from '../../errors.js';
import type { IntentionEntry } from '../../model/intention.js';
import { parseEntry, parseUnreadableEntry } from '../parse-entry.js';
import type { Raw } from '../reader.js';
import { type Listed, toListed } from './answer.js';
import { type JsonElement, OMITTED } from './json-elements.js';
import type { Operation } from './request.js';
import { type Found, toUnreadable } from './unreadable-entries.js';

const OPERATION = 'intentions.list';
const KIND = 'service-intentions';

/** An entry, and its text. */
interface Known {
  readonly text: Uint8Array;
  readonly entry: IntentionEntry;
}

/** One list while it arrives. An entry with the same text as in the last list is the same object and is not parsed again. */
export interface EntryList {
  readonly each: (element: JsonElement) => void;
  /** The length of an entry at the beginning of the text that is as in the last list; otherwise 0. */
  readonly known: (text: Uint8Array) => number;
  /** Call it once the list is complete: the next list is compared with this one. */
  readonly done: () => { readonly entries: readonly IntentionEntry[]; readonly unreadable: readonly Found[] };
}

/**
 * Consul lists every entry, even if few have changed. An entry is unchanged if its bytes are equal. Equal indexes are not
 * enough, because after a snapshot is restored other content can have the same index.
 */
export function createEntryLists(): () => EntryList {
  let last: readonly Known[] = [];
  /** Positions in `last`. */
  let placeOf: ReadonlyMap<string, number> = new Map();
  return () => {
    const list: Known[] = [];
    const places = new Map<string, number>();
    const unreadable: Found[] = [];
    /** The expected position in the last list; lists are ordered by name. */
    let place = 0;
    const put = (known: Known) => {
      const { name } = known.entry.destination;
      places.set(name, list.length);
      list.push(known);
      place = (placeOf.get(name) ?? place - 1) + 1;
    };
    return {
      known(text) {
        const known = last[place];
        return known !== undefined && beginsWith(text, known.text) ? known.text.length : 0;
      },
      each(element) {
        const known = element.kind === 'whole' ? last[place] : undefined;
        if (element.kind === 'whole' && known !== undefined && isSame(element.text, known.text)) {
          put(known);
          return;
        }
        const listed = toListed(element, OPERATION);
        const { entry, found } = parseListedEntry(listed, OPERATION);
        if (found !== undefined) unreadable.push(found);
        if (entry === undefined) return;
        // If the entry before it was removed, it is at another position than expected.
        const former = last[placeOf.get(entry.destination.name) ?? -1];
        const text = element.kind === 'whole' ? element.text : new Uint8Array(0);
        put(former !== undefined && isSame(text, former.text) ? former : { text: text.slice(), entry });
      },
      done() {
        last = list;
        placeOf = places;
        return { entries: list.map(({ entry }) => entry), unreadable };
      },
    };
  };
}

/**
 * One entry, which is unreadable by itself if it is too large or its content cannot be written back. Throws if it does not
 * show whose it is. No entry: its name is too long for any service.
 */
export function parseListedEntry(
  listed: Listed,
  operation: Operation,
): { readonly entry?: IntentionEntry; readonly found?: Found } {
  const { raw, size } = listed;
  try {
    if (size === undefined) return { entry: parseEntry(raw, operation) };
  } catch (error) {
    if (!(error instanceof SyncError) || typeof raw.Name !== 'string') throw error;
    return unreadableEntry(raw, operation, { name: raw.Name, why: messageOf(error) });
  }
  if (raw.Name === OMITTED) return { found: { name: '(a long name)', size } };
  return unreadableEntry(raw, operation, { name: String(raw.Name), size });
}

function unreadableEntry(raw: Raw, operation: Operation, found: Found) {
  const { detail } = toUnreadable(KIND, found);
  return { entry: parseUnreadableEntry(raw, detail, operation), found };
}

function beginsWith(text: Uint8Array, start: Uint8Array): boolean {
  return start.length > 0 && text.length > start.length && isSame(text.subarray(0, start.length), start);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.length > 0 && Buffer.compare(a, b) === 0;
}
