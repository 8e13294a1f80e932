/**
 * Control characters and marks of text direction, shown as what they are. Names come from the identity provider and from
 * Consul: they must not move the cursor, overwrite other text, or make a text look like another.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}\p{Default_Ignorable_Code_Point}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** The only control sequences that text of ours has: colours, ends of lines and tabs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with a control character.
const COLOUR_OR_BREAK = /(\u001b\[[\d;]*m|[\n\t])/;

/** A text of ours with its colours and lines. Whatever else a terminal would obey is shown as by `printable`. */
export function inertText(text: string): string {
  const parts = text.split(COLOUR_OR_BREAK);
  return parts.map((part, at) => (at % 2 === 0 ? printable(part) : part)).join('');
}

/** Characters that JSON does not escape and that a terminal obeys or does not show. */
const UNESCAPED = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** The same JSON value, with these characters escaped. */
export function inertJson(json: string): string {
  return json.replace(UNESCAPED, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
