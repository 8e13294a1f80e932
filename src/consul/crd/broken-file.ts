import { IncompleteRead } from '../../errors.js';

/** An own file, or one that may have been, which cannot be read whole. */
export interface BrokenFile {
  readonly name: string;
  /** The file, what is wrong, and the remedy. */
  readonly why: string;
}

/** Throws every other error again. */
export function toBroken(name: string, error: unknown): BrokenFile {
  if (error instanceof IncompleteRead) return { name, why: error.message };
  throw error;
}
