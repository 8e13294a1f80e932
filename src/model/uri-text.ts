/**
 * Percent-encodes hostile text for subjects, keys and Descriptions (RFC 3986). An unpaired surrogate, for which
 * `encodeURIComponent` throws, becomes U+FFFD.
 */
export function toUriText(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
