import type { Clock } from '../src/clock.js';

/** Runs `work` every `intervalMs` (±10 %, so that fleets spread out) until the signal aborts; `work` handles its own errors. */
export async function repeat(
  intervalMs: number,
  work: () => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await work();
    try {
      await clock.sleep(intervalMs * (0.9 + Math.random() * 0.2), signal);
    } catch {
      return;
    }
  }
}

/** An outage is logged when it begins and when it ends. */
export class Outage {
  #since: number | undefined;

  /** True if this failure is the first of its outage. */
  begins(now: number): boolean {
    const isFirst = this.#since === undefined;
    this.#since ??= now;
    return isFirst;
  }

  /** Milliseconds that the outage lasted, if there was one. */
  ends(now: number): number | undefined {
    const since = this.#since;
    this.#since = undefined;
    return since === undefined ? undefined : now - since;
  }
}
