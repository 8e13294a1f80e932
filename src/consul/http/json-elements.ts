import { isRecord } from '../../model/is-record.js';
import { jsonIn, jsonInBytes, MAX_DEPTH } from '../../model/json-in.js';

/** One element of a list, or one member of an object. */
export type JsonElement =
  /** The text of the element; of a member, with its name. Valid during the call only. */
  | { readonly kind: 'whole'; readonly text: Uint8Array }
  | {
      readonly kind: 'partial';
      /** Of a member; undefined if the name is too long. */
      readonly key: string | undefined;
      /** The fields of an object, with `OMITTED` for each that is too large or too deep. Empty for anything else. */
      readonly fields: Readonly<Record<string, unknown>>;
      /** Bytes. */
      readonly size: number;
    };

export interface JsonElementsOptions {
  /** `value`: one element alone, whatever it is. */
  readonly form: 'array' | 'object' | 'value';
  /** The elements are those of the object in this member, and of the outer object. */
  readonly within?: string | undefined;
  /** The longest text that is kept whole. */
  readonly maxBytes: number;
  readonly each: (element: JsonElement) => void;
  /** Of a partial element only the name is kept. */
  readonly isFlat?: boolean;
}

/** The value of a field that was not kept. Every parser refuses it as a wrong type. */
export const OMITTED = Symbol('omitted');

const MAX_FIELD_BYTES = 64 * 1024;
/** Of all kept fields of a partial element. */
const MAX_FIELDS_BYTES = 1024 * 1024;
const MAX_KEY_BYTES = 1024;

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Splits a JSON text into its elements while it arrives, so that an element of any size costs no more memory than
 * `maxBytes`. It only finds where an element ends: the caller finds out whether the text of a whole one is JSON.
 */
export class JsonElements {
  readonly #options: JsonElementsOptions;
  /** Open brackets. */
  #depth = 0;
  /** The depth of the elements. */
  #base = 1;
  #isInString = false;
  #isEscaped = false;
  /** The outer bracket is closed. */
  #isOver = false;
  #isBroken = false;
  /** What arrived of the current element, with room to grow. */
  #held = new Uint8Array(0);
  #heldBytes = 0;
  /** Bytes of the current element so far. */
  #size = 0;
  #isTooDeep = false;
  #partial: PartialElement | undefined;
  #isAfterComma = false;
  /** The current element is the member whose elements were split. */
  #isSplit = false;

  constructor(options: JsonElementsOptions) {
    this.#options = options;
    if (options.form === 'value') this.feed(Buffer.from('['));
  }

  feed(chunk: Uint8Array): void {
    let from = 0;
    let at = this.#isInString ? this.#afterString(chunk, 0) : 0;
    for (; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte === QUOTE) at = this.#afterString(chunk, at + 1) - 1;
      else if (byte === COMMA) {
        if (this.#depth !== this.#base) continue;
        this.#end(chunk.subarray(from, at), true);
        from = at + 1;
      } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        if (this.#opens(byte, chunk.subarray(from, at))) from = at + 1;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        if (this.#depth === this.#base) {
          this.#end(chunk.subarray(from, at), false);
          this.#close(byte);
          from = at + 1;
        }
        this.#depth -= 1;
      }
    }
    this.#hold(chunk.subarray(from));
  }

  /** The position after the string whose text is at `start`, or the end of the chunk. */
  #afterString(chunk: Uint8Array, start: number): number {
    let at = start;
    if (this.#isEscaped && at < chunk.length) at += 1;
    this.#isEscaped = false;
    for (; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte === QUOTE) {
        this.#isInString = false;
        return at + 1;
      }
      if (byte === BACKSLASH) at += 1;
    }
    this.#isInString = true;
    this.#isEscaped = at > chunk.length;
    return chunk.length;
  }

  /** Whether the bracket is one of a container whose elements are split. */
  #opens(bracket: number, before: Uint8Array): boolean {
    this.#depth += 1;
    if (this.#depth === 1) {
      const isForm = bracket === (this.#options.form === 'object' ? OPEN_OBJECT : OPEN_LIST);
      if (!isForm || this.#isOver || !this.#isBlank(before)) this.#isBroken = true;
    } else if (this.#depth === 2 && bracket === OPEN_OBJECT && this.#isWithin(before)) this.#base = 2;
    else {
      if (this.#depth - this.#base > MAX_DEPTH) this.#isTooDeep = true;
      return false;
    }
    this.#begin(false);
    return true;
  }

  #close(bracket: number): void {
    if (bracket !== (this.#options.form === 'object' ? CLOSE_OBJECT : CLOSE_LIST)) this.#isBroken = true;
    this.#isSplit = this.#base === 2;
    this.#isOver ||= this.#base === 1;
    this.#base = 1;
  }

  /** `null`: the text is JSON's null. False if it was cut off, or is not of this form. */
  finish(): boolean | null {
    if (this.#options.form === 'value') this.feed(Buffer.from(']'));
    if (this.#isBroken || this.#depth !== 0) return false;
    if (this.#isOver) return this.#isBlank();
    return new TextDecoder().decode(this.#held.subarray(0, this.#heldBytes)).trim() === 'null' ? null : false;
  }

  #isBlank(last: Uint8Array = new Uint8Array(0)): boolean {
    return this.#partial === undefined && isBlank(this.#held.subarray(0, this.#heldBytes)) && isBlank(last);
  }

  #isWithin(last: Uint8Array): boolean {
    const { within } = this.#options;
    const isSmall =
      this.#base === 1 && this.#partial === undefined && this.#size + last.length < MAX_KEY_BYTES;
    if (within === undefined || !isSmall) return false;
    const text = Buffer.concat([this.#held.subarray(0, this.#heldBytes), last]).toString();
    return keyOf(text)?.key === within && text.trim().endsWith(':');
  }

  #end(last: Uint8Array, isFollowed: boolean): void {
    if (this.#size > 0 || last.length > this.#options.maxBytes) this.#hold(last);
    const text = this.#size === 0 ? last : this.#held.subarray(0, this.#heldBytes);
    if (this.#isTooDeep && this.#partial === undefined) this.#toPartial(text);
    if (this.#partial !== undefined) this.#options.each(this.#partial.done(this.#size || last.length));
    else if (this.#isBroken) return;
    else if (isBlank(text)) this.#isBroken ||= !this.#isSplit && (isFollowed || this.#isAfterComma);
    else if (this.#isSplit) this.#isBroken = true;
    else this.#options.each({ kind: 'whole', text });
    this.#begin(isFollowed);
  }

  #begin(isAfterComma: boolean): void {
    this.#heldBytes = 0;
    this.#size = 0;
    this.#isTooDeep = false;
    this.#isSplit = false;
    this.#partial = undefined;
    this.#isAfterComma = isAfterComma;
  }

  #hold(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#size += part.length;
    if (this.#partial !== undefined) this.#partial.feed(part);
    else if (this.#size > this.#options.maxBytes) {
      this.#toPartial(Buffer.concat([this.#held.subarray(0, this.#heldBytes), part]));
      this.#heldBytes = 0;
    } else {
      if (this.#size > this.#held.length) {
        const larger = new Uint8Array(Math.min(this.#options.maxBytes, 2 * this.#size));
        larger.set(this.#held.subarray(0, this.#heldBytes));
        this.#held = larger;
      }
      this.#held.set(part, this.#heldBytes);
      this.#heldBytes = this.#size;
    }
  }

  #toPartial(text: Uint8Array): void {
    this.#partial = new PartialElement(this.#options);
    this.#partial.feed(text);
  }
}

/** What is kept of an element that is not kept whole. */
class PartialElement {
  readonly #isMember: boolean;
  readonly #isFlat: boolean;
  #key: string | undefined;
  #fields: Record<string, unknown> = {};
  #fieldsBytes = 0;
  #inner: JsonElements | undefined;
  #isBegun = false;

  constructor({ form, isFlat = false }: JsonElementsOptions) {
    this.#isMember = form === 'object';
    this.#isFlat = isFlat;
  }

  feed(text: Uint8Array): void {
    if (this.#isBegun) {
      this.#inner?.feed(text);
      return;
    }
    this.#isBegun = true;
    const found = this.#isMember ? keyOf(Buffer.from(text.subarray(0, MAX_KEY_BYTES)).toString()) : undefined;
    this.#key = found?.key;
    if (this.#isFlat || (this.#isMember && found === undefined)) return;
    this.#inner = new JsonElements({
      form: 'object',
      maxBytes: MAX_FIELD_BYTES,
      isFlat: true,
      each: (field) => this.#put(field),
    });
    this.#inner.feed(text.subarray(found?.bytes ?? 0));
  }

  done(size: number): JsonElement {
    const isObject = this.#inner?.finish() === true;
    return { kind: 'partial', key: this.#key, fields: isObject ? this.#fields : {}, size };
  }

  #put(field: JsonElement): void {
    const [[name, value] = []] = field.kind === 'whole' ? Object.entries(memberIn(field.text) ?? {}) : [];
    const key = field.kind === 'whole' ? name : field.key;
    if (key === undefined) return;
    if (field.kind === 'whole') this.#fieldsBytes += field.text.length;
    const isKept = field.kind === 'whole' && this.#fieldsBytes <= MAX_FIELDS_BYTES;
    if (!isKept && Object.keys(this.#fields).length > 1_000) return;
    // Defined, so that `__proto__` is an ordinary name.
    Object.defineProperty(this.#fields, key, { value: isKept ? value : OMITTED, enumerable: true });
  }
}

/** The object with this member alone; undefined if the text is no member. */
export function memberIn(text: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  const value = jsonInBytes(Buffer.concat([Buffer.from('{'), text, Buffer.from('}')]));
  return isRecord(value) ? value : undefined;
}

/** The name at the beginning of a member, and the bytes up to its value. */
function keyOf(text: string): { readonly key: string; readonly bytes: number } | undefined {
  const [whole, quoted] = /^\s*("(?:[^"\\]|\\.)*")\s*:/.exec(text) ?? [];
  if (whole === undefined || quoted === undefined) return undefined;
  const key = jsonIn(quoted);
  return typeof key === 'string' ? { key, bytes: Buffer.byteLength(whole) } : undefined;
}

function isBlank(text: Uint8Array): boolean {
  return text.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
}
