/** What the encoding leaves as it is. */
const PLAIN = /^[\w.!~*'()-]*$/;

/**
 * Percent-encodes hostile text for subjects, keys and Descriptions (RFC 3986). An unpaired surrogate, for which
 * `encodeURIComponent` throws, becomes U+FFFD.
 */
export function toUriText(text: string): string {
  // Nearly every place, and nearly every name: the encoding takes many times as long as these looks.
  if (text === 'default' || PLAIN.test(text)) return text;
  return encodeURIComponent(text.toWellFormed());
}
