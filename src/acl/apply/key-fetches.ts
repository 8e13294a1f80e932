import type { Clock } from '../../clock.js';
import { isOverload, SyncError } from '../../errors.js';
import { withLinkedSignal } from '../../linked-signal.js';
import type { AclObject } from '../../model/acl.js';
import type { AclChange } from '../plan/acl-change.js';

/** Half of the places of revocations, so that these find a place beside writes that wait for an identity provider. */
const LEAST = 4;
/** A write that takes longer hangs. */
const SLOW_MS = 500;
const MAX_SILENCE_MS = 500;
const MAX_WAIT_MS = 2_000;

/** Whether Consul fetches the identity provider's keys for this write. */
export function fetchesKeys(object: AclObject): boolean {
  return object.kind === 'acl-auth-method' || object.kind === 'acl-binding-rule';
}

/**
 * Limits the writes for which Consul fetches an identity provider's keys. If the provider hangs, each of them takes
 * seconds, so only a few may hang at once. A quick answer raises the limit by one; a slow one, or one that Consul is
 * overloaded, resets it to the least. A write that finds no place fails with ERR_TIMEOUT after half a second without any
 * answer, or after two seconds. It was not made then.
 */
export class KeyFetches {
  #most = LEAST;
  /** When each began, the oldest first. */
  readonly #running = new Set<{ readonly at: number }>();
  readonly #waiting = new Set<() => void>();
  #answeredAt = Number.NEGATIVE_INFINITY;

  async run<T>(work: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
    if (this.#isFull(clock)) await this.#place(clock, signal);
    const write = { at: clock.now() };
    let isOverloaded = false;
    this.#running.add(write);
    try {
      const result = await work();
      this.#answeredAt = clock.now();
      return result;
    } catch (error) {
      isOverloaded = isOverload(error);
      throw error;
    } finally {
      this.#running.delete(write);
      if (isOverloaded || clock.now() - write.at > SLOW_MS) this.#most = LEAST;
      // The limit grows only while it is used: otherwise more writes would hang before the first is noticed.
      else if (this.#running.size >= this.#most / 2) this.#most++;
      let free = this.#most - this.#running.size;
      for (const wake of this.#waiting) if (free-- > 0) wake();
    }
  }

  #isFull(clock: Clock): boolean {
    const [oldest] = this.#running;
    if (oldest !== undefined && clock.now() - oldest.at > SLOW_MS) this.#most = LEAST;
    return this.#running.size >= this.#most;
  }

  async #place(clock: Clock, signal: AbortSignal): Promise<void> {
    const begun = clock.now();
    while (this.#isFull(clock)) {
      const silentSince = Math.max(begun, this.#answeredAt);
      const leftMs = Math.min(silentSince + MAX_SILENCE_MS, begun + MAX_WAIT_MS) - clock.now();
      if (leftMs <= 0)
        throw new SyncError(
          'ERR_TIMEOUT',
          "other writes wait for an identity provider's keys; see that its JWKS or discovery URL answers Consul's servers",
          { retriable: true },
        );
      const woken = new AbortController();
      const wake = () => woken.abort();
      this.#waiting.add(wake);
      await withLinkedSignal([signal, woken.signal], (either) => clock.sleep(leftMs, either)).catch(() => {});
      this.#waiting.delete(wake);
      signal.throwIfAborted();
    }
  }
}

/** Whether Consul may have waited for the identity provider's keys, and was not itself unreachable. */
export function isAbandoned(error: unknown, changes: readonly AclChange[]): boolean {
  const asksForKeys = changes.some(({ step }) => step.do === 'write' && fetchesKeys(step.object));
  return error instanceof SyncError && error.code === 'ERR_TIMEOUT' && asksForKeys;
}
