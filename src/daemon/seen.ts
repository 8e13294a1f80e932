import { z } from 'zod';
import { PERSONS_REASON } from '../model/cause.js';
import { ChangeRefused } from './api-change.js';
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

/** A person of the console says why; a command or a token may leave it out. */
export function requireComment(caller: Caller, comment: string | undefined): void {
  if (caller.kind === 'person' && comment === undefined)
    throw new ChangeRefused(400, { error: 'write why: an act of a person in the console has a comment' });
}

/** Refuses a ruling on something that is not any more what the person saw, if the request says what that was. */
export async function requireSeen(
  id: string,
  fingerprint: string | undefined,
  caller: Caller,
  find: FindWaiting,
): Promise<void> {
  if (fingerprint === undefined) return;
  const now = await find(id, caller);
  if (now?.fingerprint === fingerprint) return;
  const error =
    now === undefined
      ? 'this does not wait for a person any more'
      : 'this is not what you saw any more: look at it again, and decide then';
  throw new ChangeRefused(409, { error, ...{ code: 'Changed', now: now ?? null } });
}
