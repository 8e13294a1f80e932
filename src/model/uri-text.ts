/**
 * Percent-encoding of hostile text for subjects, keys and Descriptions (RFC 3986): a lone surrogate, which
 * `encodeURIComponent` throws at, becomes U+FFFD.
 */
export function toUriText(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
