import { TokenBucket } from '../model/token-bucket.js';

/**
 * The owner of a service can change its claim, or mark sources at it, without end. So its holds are recorded only so often.
 */
const OF_SERVICE = { burst: 10, everyMs: 10 * 60_000 };
/** For sources without a record: after the loss of a store a person may have many of them to approve. */
export const OF_DESTINATION = { burst: 100, everyMs: 10 * 60_000 };
/** A list of an identity provider, or a record in it, may be right and wrong by turns. */
const OF_HOLD = { burst: 5, everyMs: 10 * 60_000 };
/** Of all services together. */
const OF_ALL = { burst: 10_000, everyMs: 30_000 };
const MAX_SERVICES = 10_000;

/**
 * How many holds about services are recorded, each service named by `serviceText`. The rest is counted, and recorded later if
 * it still exists then.
 */
export class HoldBudget {
  readonly #each: typeof OF_SERVICE;
  readonly #all = new TokenBucket(OF_ALL);
  /** The longest unused first. */
  readonly #services = new Map<string, TokenBucket>();

  constructor(each = OF_SERVICE) {
    this.#each = each;
  }

  /** Undefined: not now. Otherwise the number of earlier holds about this service that were not recorded. */
  take(text: string, now: number): number | undefined {
    const limit = this.#services.get(text) ?? new TokenBucket(this.#each);
    this.#services.delete(text);
    this.#services.set(text, limit);
    this.#forget(now);
    if (!this.#all.mayPass(now)) {
      limit.suppress();
      return undefined;
    }
    if (!limit.take(now)) return undefined;
    this.#all.take(now);
    return limit.report();
  }

  /** How many may be recorded now. */
  room(text: string, now: number): number {
    const ofService = this.#services.get(text)?.left(now) ?? this.#each.burst;
    return Math.min(ofService, this.#all.left(now));
  }

  /** Services with holds that were not recorded, and how many. `isDue`: one more may be recorded now. */
  suppressed(
    now: number,
  ): readonly { readonly service: string; readonly holds: number; readonly isDue: boolean }[] {
    return [...this.#services].flatMap(([serviceName, limit]) => {
      const isDue = this.#all.mayPass(now) && limit.mayPass(now);
      return limit.suppressed === 0 ? [] : [{ service: serviceName, holds: limit.suppressed, isDue }];
    });
  }

  /** A full limit is like a new one. Beyond the limit the one unused for longest goes: the limit of all services still limits. */
  #forget(now: number): void {
    for (const [text, limit] of this.#services) {
      if (this.#services.size <= 1) return;
      if (!limit.isFull(now) && this.#services.size <= MAX_SERVICES) return;
      this.#services.delete(text);
    }
  }
}

/**
 * Holds that end and begin again and again. Their ends are recorded only so often, so each stays one fact meanwhile. Every
 * beginning follows a recorded end.
 */
export class Flaps {
  readonly #ends = new HoldBudget(OF_HOLD);
  /** Holds that are gone and stay recorded. */
  readonly #gone = new Set<string>();

  /** Undefined: the end is not recorded now. Otherwise how often the hold came back since its last recorded end. */
  end(hold: string, now: number): number | undefined {
    const isKnown = this.#gone.has(hold);
    if (isKnown && this.#ends.room(hold, now) < 1) return undefined;
    const more = this.#ends.take(hold, now);
    if (more === undefined) this.#gone.add(hold);
    else this.#gone.delete(hold);
    return more === undefined ? undefined : more - (isKnown ? 1 : 0);
  }

  /** Whether it stayed recorded while it was gone. */
  isBack(hold: string): boolean {
    return this.#gone.delete(hold);
  }
}
