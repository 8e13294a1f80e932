import type { Authorizer } from '../acl/authorizer.js';
import { joinErrors, quoted } from '../exchange.js';
import type { Decoded, Shape } from '../shape.js';

/** What differs between kinds of config entries. */
export interface EntryKind {
  readonly kind: string;
  readonly shape: Shape;
  /** Converts a client's entry into its stored form. Throws ConsulFailure. */
  normalize(entry: Decoded): Decoded;
  /** Throws ConsulFailure with Consul's text. */
  validate(entry: Decoded): void;
  canRead(authorizer: Authorizer, name: string): boolean;
  /** Throws the 403 where reading this one entry is refused. */
  requireRead(authorizer: Authorizer, name: string): void;
  requireWrite(authorizer: Authorizer, name: string): void;
}

const mostMetaPairs = 64;
const longestMetaKey = 128;
export const longestMetaValue = 512;

/** The errors of an entry's Meta; empty if it is valid. */
export function metaErrors(meta: unknown): string[] {
  if (typeof meta !== 'object' || meta === null) return [];
  const pairs = Object.entries(meta);
  const errors: string[] = [];
  if (pairs.length > mostMetaPairs) errors.push(`Meta exceeds maximum element count ${mostMetaPairs}`);
  for (const [key, value] of pairs) {
    if (byteLength(key) > longestMetaKey) {
      errors.push(`Meta key ${quoted(key)} exceeds maximum length ${longestMetaKey}`);
    }
    if (byteLength(String(value)) > longestMetaValue) {
      errors.push(`Meta value for key ${quoted(key)} exceeds maximum length ${longestMetaValue}`);
    }
  }
  return errors;
}

export function metaError(meta: unknown): string | undefined {
  const errors = metaErrors(meta);
  return errors.length === 0 ? undefined : joinErrors(errors);
}

/** Consul measures in bytes. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/** Names of config entries are compared case-insensitively. */
export function entryKey(kind: string, name: string): string {
  return `${kind}/${name.toLowerCase()}`;
}
