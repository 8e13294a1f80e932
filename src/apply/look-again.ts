import { type Clock, isoText } from '../clock.js';
import { formatKey, type Key } from '../model/key.js';
import type { FollowUps } from '../queue/follow-ups.js';
import type { Journal } from '../queue/journal.js';
import { inFlightMs } from './lost-answers.js';

interface LookDeps {
  readonly journal: Pick<Journal, 'read'>;
  readonly acl: { inFlightMs(key: string, now: number): number };
  readonly clock: Pick<Clock, 'now'>;
  readonly queue: Pick<FollowUps, 'addLater'>;
}

/**
 * A key with a write whose answer was lost comes again once the time of its request is over. `began`: when the run judged
 * what it left open. The time may have ended since.
 */
export async function lookAgain(key: Key, began: number, deps: LookDeps): Promise<void> {
  const { journal, acl, clock, queue } = deps;
  const text = formatKey(key);
  const { pending } = await journal.read(text);
  const afterMs = Math.max(acl.inFlightMs(text, began), ...pending.map((draft) => inFlightMs(draft, began)));
  if (afterMs <= 0) return;
  queue.addLater({ key, cause: { kind: 'resync', receivedAt: isoText(clock.now()) } }, afterMs);
}
