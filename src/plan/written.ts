import type { Access } from '../model/intention.js';
import { digest } from './access.js';

/** What scopemesh last wrote of an edge: tells drift from an IdP change, and a lost scope from a changed rule. */
export interface Written {
  readonly digest: string;
  /** The scopes that opened it. */
  readonly scopes: readonly string[];
}

export function toWrittenText(access: Access | undefined, scopes: readonly string[]): string {
  return JSON.stringify([digest(access), scopes]);
}

/** Undefined for a text of another form: it is then as if nothing were remembered. */
export function parseWrittenText(text: string | undefined): Written | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value)) return undefined;
    const [first, second]: unknown[] = value;
    if (typeof first !== 'string' || !Array.isArray(second)) return undefined;
    return { digest: first, scopes: second.filter((scope): scope is string => typeof scope === 'string') };
  } catch {
    return undefined;
  }
}
