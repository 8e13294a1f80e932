import type { ServiceName } from '../model/intention.js';
import { TokenBucket } from '../model/token-bucket.js';
import { serviceText } from '../plan/world.js';

/**
 * The owner of a service can change its claim, or mark sources at it, without end. So its holds are recorded only so often.
 */
const OF_SERVICE = { burst: 10, everyMs: 10 * 60_000 };
/** For sources without a record: after the loss of a store a person may have many of them to approve. */
export const OF_DESTINATION = { burst: 100, everyMs: 10 * 60_000 };
/** Of all services together. */
const OF_ALL = { burst: 10_000, everyMs: 30_000 };
const MAX_SERVICES = 10_000;

/** How many holds about services are recorded. The rest is counted, and recorded later if it still exists then. */
export class HoldBudget {
  readonly #each: typeof OF_SERVICE;
  readonly #all = new TokenBucket(OF_ALL);
  /** By `serviceText`, the longest unused first. */
  readonly #services = new Map<string, TokenBucket>();

  constructor(each = OF_SERVICE) {
    this.#each = each;
  }

  /** Undefined: not now. Otherwise the number of earlier holds about this service that were not recorded. */
  take(serviceName: ServiceName, now: number): number | undefined {
    const text = serviceText(serviceName);
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
  room(serviceName: ServiceName, now: number): number {
    const ofService = this.#services.get(serviceText(serviceName))?.left(now) ?? this.#each.burst;
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
