import type { Grant } from '../model/client.js';
import type { Access } from '../model/intention.js';
import { digest } from './access.js';
import { parseBreakGlassText } from './break-glass.js';
import { parseGrantText } from './grant-text.js';

/**
 * The last write of an edge. It distinguishes drift from an identity provider change, and a lost scope from a changed rule.
 */
export interface LastApplied {
  readonly digest: string;
  /** The scopes that opened it. */
  readonly grants: readonly Grant[];
  /** IDs of the break-glass grants that opened it. */
  readonly breakGlass: readonly string[];
}

/** `opensBy` in the form of `toGrantText`. */
export function toLastAppliedText(access: Access | undefined, opensBy: readonly string[]): string {
  return JSON.stringify([digest(access), opensBy]);
}

/** The record of an edge that scopemesh removed, or that a write of it may still make. */
export const REMOVED = toLastAppliedText(undefined, []);

/** The record of an edge whose write may have been made, in a form that equals no access. */
export function toUncertainText(opensBy: readonly string[]): string {
  return JSON.stringify(['uncertain', opensBy]);
}

/** Whether the record is of an edge that scopemesh wrote and did not remove since. */
export function isOfWrittenEdge(text: string | undefined): boolean {
  return text !== undefined && !text.startsWith('["none",');
}

/** Undefined for a text in another form, as if nothing had been written. */
export function parseLastAppliedText(text: string | undefined): LastApplied | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value)) return undefined;
    const [first, second]: unknown[] = value;
    if (typeof first !== 'string' || !Array.isArray(second)) return undefined;
    const texts = second.filter((text): text is string => typeof text === 'string');
    const isScope = (text: string) => parseBreakGlassText(text) === undefined;
    return {
      digest: first,
      grants: texts.filter(isScope).map(parseGrantText),
      breakGlass: texts.flatMap((text) => parseBreakGlassText(text) ?? []),
    };
  } catch {
    return undefined;
  }
}
