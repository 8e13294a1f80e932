import type { Clock } from '../clock.js';

/** The space that a store keeps back for the time when its disk, or its memory, is full. */
export interface StoreSpace {
  /** Whether the store works on the space that it kept back. Then only what narrows access may use it. */
  isLow(): boolean;
  /** Makes the reserve if it is missing, or was used, and there is room for it. Never rejects. */
  restore(): Promise<void>;
}

/** At most this much is kept back, and at most an eighth of all that there is. */
export const RESERVED_BYTES = 64 * 1024 * 1024;
export const RESERVED_PART = 1 / 8;

/** Room that must be left beside a new reserve, as a part of it, so that it is not needed again at once. */
export const MARGIN_PART = 1 / 4;

const CHECK_MS = 5_000;

/** Keeps the reserve until the signal aborts. `onRoom`: the store is not low any more. */
export async function keepSpace(
  space: StoreSpace,
  onRoom: () => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const wasLow = space.isLow();
    await space.restore();
    if (wasLow && !space.isLow()) onRoom();
    await clock.sleep(CHECK_MS, signal).catch(() => {});
  }
}
