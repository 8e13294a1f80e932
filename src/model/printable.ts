/**
 * Control characters and marks of text direction, shown as what they are. Names come from the IdP and from Consul: they must
 * not move the cursor, overwrite other text, or make a text look like another.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
