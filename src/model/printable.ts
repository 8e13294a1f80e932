/**
 * Control characters and marks of text direction, shown as what they are. Names come from the identity provider and from
 * Consul: they must not move the cursor, overwrite other text, or make a text look like another.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** Characters that JSON does not escape and a terminal obeys: 8-bit controls and marks of text direction. */
const UNESCAPED = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The same JSON value, with these characters escaped. */
export function inertJson(json: string): string {
  return json.replace(UNESCAPED, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
