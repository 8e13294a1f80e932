import { z } from 'zod';
import { PERSONS_REASON } from '../model/cause.js';
import type { Caller } from './rights.js';

/** What waits for a person under an ID, with the fingerprint of what is shown of it; undefined if nothing does. */
export type FindWaiting = (
  id: string,
  caller: Caller,
) => Promise<{ readonly fingerprint: string } | undefined>;

/** What a person says of a ruling, and what the person saw. */
export const SEEN_FIELDS = {
  comment: z.string().regex(PERSONS_REASON).exactOptional(),
  fingerprint: z.string().max(64).exactOptional(),
};

/** Why a person of the console must say more; undefined for a command or a token, which may leave it out. */
export function commentFault(caller: Caller, comment: string | undefined): { error: string } | undefined {
  if (caller.kind !== 'person' || comment !== undefined) return undefined;
  return { error: 'write why: an act of a person in the console has a comment' };
}

/** The answer to a ruling on something that is not any more what the person saw; undefined if it is, or if nothing is said of it. */
export async function staleView(
  id: string,
  fingerprint: string | undefined,
  caller: Caller,
  find: FindWaiting,
): Promise<object | undefined> {
  if (fingerprint === undefined) return undefined;
  const now = await find(id, caller);
  if (now?.fingerprint === fingerprint) return undefined;
  const error =
    now === undefined
      ? 'this does not wait for a person any more'
      : 'this is not what you saw any more: look at it again, and decide then';
  return { error, code: 'Changed', now: now ?? null };
}
