import type { Clock } from '../../../clock.js';

/**
 * When sessions end and when freed keys may be locked again: kept in memory by the leader alone, as Consul does,
 * so that a restarted server gives every session its whole lifetime anew.
 */
export class SessionClock {
  readonly #clock: Clock;
  readonly #timers = new Map<string, AbortController>();
  readonly #lockableAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `expire` once `ms` have passed without another arming. */
  arm(sessionId: string, ms: number, expire: () => void): void {
    this.disarm(sessionId);
    const timer = new AbortController();
    this.#timers.set(sessionId, timer);
    this.#clock.sleep(ms, timer.signal).then(
      () => {
        this.#timers.delete(sessionId);
        expire();
      },
      () => {},
    );
  }

  disarm(sessionId: string): void {
    this.#timers.get(sessionId)?.abort();
    this.#timers.delete(sessionId);
  }

  /** Refuses locks on the key for `ms` from now. */
  delayLock(key: string, ms: number): void {
    this.#lockableAt.set(key, this.#clock.now() + ms);
  }

  isLockDelayed(key: string): boolean {
    const at = this.#lockableAt.get(key);
    if (at === undefined) return false;
    if (at > this.#clock.now()) return true;
    this.#lockableAt.delete(key);
    return false;
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.abort();
    this.#timers.clear();
  }
}
