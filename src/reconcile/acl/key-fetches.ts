import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import type { AclObject } from '../../model/acl.js';

/** Half of the jobs that run at once, so that revocations find a place beside those that wait for an IdP. */
const MOST = 4;
const LONGEST_WAIT_MS = 500;

/** Whether Consul asks the identity provider for its keys when it takes this write. */
export function fetchesKeys(object: AclObject): boolean {
  return object.kind === 'acl-auth-method' || object.kind === 'acl-binding-rule';
}

/**
 * Writes for which Consul fetches an identity provider's keys: where that hangs, each takes seconds, and only so many
 * may hang at once. One that finds no place within half a second is ERR_TIMEOUT and has not been made.
 */
export class KeyFetches {
  #running = 0;
  readonly #waiting = new Set<() => void>();

  async run<T>(work: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
    if (this.#running >= MOST) await this.#place(clock, signal);
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      const [next] = this.#waiting;
      next?.();
    }
  }

  async #place(clock: Clock, signal: AbortSignal): Promise<void> {
    const until = clock.now() + LONGEST_WAIT_MS;
    while (this.#running >= MOST) {
      const leftMs = until - clock.now();
      if (leftMs <= 0)
        throw new SyncError(
          'ERR_TIMEOUT',
          "other writes wait for an identity provider's keys; see that its JWKS or discovery URL answers Consul's servers",
          { retriable: true },
        );
      const woken = new AbortController();
      const wake = () => woken.abort();
      this.#waiting.add(wake);
      await clock.sleep(leftMs, AbortSignal.any([signal, woken.signal])).catch(() => {});
      this.#waiting.delete(wake);
      signal.throwIfAborted();
    }
  }
}
