/**
 * A string literal of Consul's selector language. Everything except printable ASCII without `"` and `\` is escaped: the
 * parser rejects `\"`, and escaped characters are neither syntax nor normalised. Undefined for a text with an unpaired
 * surrogate, which no UTF-8 text, and therefore no claim, can equal.
 */
export function selectorString(text: string): string | undefined {
  if (!text.isWellFormed()) return undefined;
  let escaped = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0x20 && code < 0x7f && character !== '"' && character !== '\\') escaped += character;
    // `\xNN` is a byte: beyond ASCII it would not be the code point.
    else if (code < 0x80) escaped += `\\x${hex(code, 2)}`;
    else if (code < 0x10000) escaped += `\\u${hex(code, 4)}`;
    else escaped += `\\U${hex(code, 8)}`;
  }
  return `"${escaped}"`;
}

/**
 * A string of ACL rules in JSON. Consul unquotes it by the rules of Go, not of JSON: an escaped unpaired surrogate crashes
 * the request. So only `"`, `\` and control characters are escaped. Undefined for a text with an unpaired surrogate.
 */
export function rulesString(text: string): string | undefined {
  return text.isWellFormed() ? JSON.stringify(text).replaceAll('\x7f', '\\u007f') : undefined;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
