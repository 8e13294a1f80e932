import type { Journal } from '../queue/journal.js';
import { withdraw } from './journaled-write.js';

/** IDs of drafts that are recorded and not sent yet: a new plan replaces them. */
export interface UnsentDrafts {
  ids: readonly string[];
}

/**
 * Runs `work`, and ends the drafts that it leaves unsent, without a decision. Otherwise the next run would judge them as
 * writes whose answer was lost.
 */
export async function withUnsentDrafts<T>(
  key: string,
  journal: Pick<Journal, 'record'>,
  work: (unsent: UnsentDrafts) => Promise<T>,
): Promise<T> {
  const unsent: UnsentDrafts = { ids: [] };
  try {
    const result = await work(unsent);
    await withdraw(key, unsent.ids, { journal });
    return result;
  } catch (error) {
    // The first failure says more.
    await withdraw(key, unsent.ids, { journal }).catch(() => {});
    throw error;
  }
}
