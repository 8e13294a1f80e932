import type { IntentionEntry } from '../../model/intention.js';
import { parseEntry } from '../parse-entry.js';
import { parseJson, parseRecords } from './answer.js';

const OPERATION = 'intentions.list';

/** An entry, and the position of its text in the answer. */
interface Slice {
  readonly start: number;
  readonly end: number;
  readonly entry: IntentionEntry;
}

interface List {
  readonly text: Buffer;
  readonly slices: readonly Slice[];
  /** Positions in `slices`. */
  readonly placeOf: ReadonlyMap<string, number>;
}

/** Parses a list of entries. An entry with the same text as in the last list is the same object and is not parsed again. */
export type ParseEntryList = (body: Uint8Array<ArrayBuffer>) => readonly IntentionEntry[];

/**
 * Consul lists every entry, even if few have changed. An entry is unchanged if its bytes are equal. Equal indexes are not
 * enough, because after a snapshot is restored other content can have the same index.
 */
export function createEntryListParser(): ParseEntryList {
  let last: List = { text: Buffer.alloc(0), slices: [], placeOf: new Map() };
  return (body) => {
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const list = parseCompact(text, last);
    if (list === undefined) return parseRecords(body, OPERATION).map((entry) => parseEntry(entry, OPERATION));
    last = list;
    return list.slices.map(({ entry }) => entry);
  };
}

/** Undefined for a list that is empty or contains spaces between its elements. */
function parseCompact(text: Buffer, last: List): List | undefined {
  if (text[0] !== code('[')) return undefined;
  const slices: Slice[] = [];
  const placeOf = new Map<string, number>();
  /** The expected position in the last list; lists are ordered by name. */
  let place = 0;
  for (let start = 1; ; ) {
    const slice = sliceAt(text, start, last, place);
    if (slice === undefined) return undefined;
    const { name } = slice.entry.destination;
    placeOf.set(name, slices.length);
    slices.push(slice);
    place = (last.placeOf.get(name) ?? place - 1) + 1;
    if (text[slice.end] === code(']')) {
      return isBlank(text, slice.end + 1) ? { text, slices, placeOf } : undefined;
    }
    if (text[slice.end] !== code(',')) return undefined;
    start = slice.end + 1;
  }
}

function sliceAt(text: Buffer, start: number, last: List, place: number): Slice | undefined {
  const known = sameAt(text, start, last, place);
  if (known !== undefined) return known;
  const end = endOfObject(text, start);
  if (end === undefined) return undefined;
  const entry = parseEntry(parseJson(text.subarray(start, end), OPERATION), OPERATION);
  // If the entry before it was removed, it is at another position than expected.
  return sameAt(text, start, last, last.placeOf.get(entry.destination.name)) ?? { start, end, entry };
}

function sameAt(text: Buffer, start: number, last: List, place: number | undefined): Slice | undefined {
  const known = place === undefined ? undefined : last.slices[place];
  if (known === undefined) return undefined;
  const end = start + known.end - known.start;
  const isSame = end <= text.length && text.compare(last.text, known.start, known.end, start, end) === 0;
  // Equal bytes contain a whole object here too.
  return isSame ? { start, end, entry: known.entry } : undefined;
}

/** The position after the brace that closes the object at `start`. */
function endOfObject(text: Buffer, start: number): number | undefined {
  if (text[start] !== code('{')) return undefined;
  let depth = 0;
  let isInString = false;
  for (let at = start; at < text.length; at += 1) {
    const byte = text[at];
    if (isInString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === OPEN) depth += 1;
    else if (byte === CLOSE) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}

const [QUOTE, BACKSLASH, OPEN, CLOSE] = [code('"'), code('\\'), code('{'), code('}')];

function code(character: string): number {
  return character.charCodeAt(0);
}

function isBlank(text: Buffer, from: number): boolean {
  return text.toString('latin1', from).trim() === '';
}
