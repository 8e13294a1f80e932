/** The value of a JSON text; undefined if the text is not JSON. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The value of a JSON text in UTF-8; undefined if the bytes are none, or are nested more than anybody needs. The parser's
 * message would quote them.
 */
export function jsonInBytes(bytes: Uint8Array): unknown {
  if (!isNestedLittle(bytes)) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** Nothing that is read comes near. Code that walks a value may call itself for each level. */
export const MAX_DEPTH = 64;
/** Arrays and objects of any document. A longer one may have more, as long as these have `BYTES_OF_EACH` on average. */
const MAX_CONTAINERS = 10_000;
const BYTES_OF_EACH = 8;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What `[` and `{`, and `]` and `}`, have in common: they differ in this bit alone. */
const CASE = 0x20;
const OPENING = 0x7b;
const CLOSING = 0x7d;

/** Asked before anything is parsed: an array of two bytes takes 50 in memory, and a deep one far more time. */
function isNestedLittle(bytes: Uint8Array): boolean {
  const most = MAX_CONTAINERS + bytes.byteLength / BYTES_OF_EACH;
  let [depth, containers] = [0, 0];
  for (let at = 0; at < bytes.byteLength; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
      continue;
    }
    const bracket = (byte ?? 0) | CASE;
    if (bracket === OPENING && (++depth > MAX_DEPTH || ++containers > most)) return false;
    if (bracket === CLOSING) depth--;
  }
  return true;
}

/** Where the quote is that ends the string; the end of the text if none does. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(QUOTE, start + 1); at !== -1; at = bytes.indexOf(QUOTE, at + 1)) {
    let before = at;
    while (bytes[before - 1] === BACKSLASH) before--;
    if ((at - before) % 2 === 0) return at;
  }
  return bytes.byteLength;
}
