import { formatKey } from '../model/key.js';
import type { Job } from '../model/trigger.js';
import type { Plan } from '../plan/plan.js';

/**
 * `reported`: an event or an order that may revoke, whose job is not done. `planned`: an edge that a plan narrows and that
 * is not written. `held`: a removal that the mass guard holds.
 */
export const REVOCATION_STATES = ['reported', 'planned', 'held'] as const;
type RevocationState = (typeof REVOCATION_STATES)[number];

/** Since when revocations are known that are not applied yet, by key. Times are milliseconds since the epoch. */
export class OpenRevocations {
  readonly #since: Readonly<Record<RevocationState, Map<string, number>>> = {
    reported: new Map(),
    planned: new Map(),
    held: new Map(),
  };

  /** A job begins. An urgent trigger may be a revocation. */
  begin({ key, triggers }: Job): void {
    const urgent = triggers.filter((trigger) => trigger.urgent === true || trigger.order !== undefined);
    for (const { cause } of urgent) this.#note('reported', formatKey(key), Date.parse(cause.receivedAt));
  }

  /** The job of a key is done with everything that its triggers reported, or the key was dropped. */
  done(key: string): void {
    this.#since.reported.delete(key);
  }

  /** The plan of a key is known. `now`: when its narrowing was first planned, unless that is known from before. */
  plan(key: string, { changes, holds }: Pick<Plan, 'changes' | 'holds'>, now: number): void {
    const is: Readonly<Record<'planned' | 'held', boolean>> = {
      planned: changes.some(({ narrows, isUnrecorded }) => narrows && isUnrecorded !== true),
      held: holds.some(({ reason }) => reason === 'RevocationLimit'),
    };
    for (const state of ['planned', 'held'] as const) {
      if (is[state]) this.#note(state, key, now);
      else this.#since[state].delete(key);
    }
  }

  /** The oldest of a state, in seconds; 0 if there is none. */
  oldestSeconds(state: RevocationState, now: number): number {
    let oldest = now;
    for (const since of this.#since[state].values()) if (since < oldest) oldest = since;
    return (now - oldest) / 1000;
  }

  #note(state: RevocationState, key: string, since: number): void {
    const known = this.#since[state].get(key);
    if (known === undefined || since < known) this.#since[state].set(key, since);
  }
}
