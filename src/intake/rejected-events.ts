import type { Clock } from '../clock.js';
import { messageOf, type RejectedEvent, StaleEvent } from '../errors.js';
import { plainDecision, type Stamp } from '../model/plain-decision.js';
import type { Logger } from '../observe.js';
import type { Journal } from '../queue/journal.js';

/** A flood of forged events must not fill the topic: this many decisions at once for a provider, then one per second. */
const BURST = 2_000;
const PER_SECOND = 1;

/** How a refused event arrived. `ip` is the address of the sender of a request. */
export interface RejectedFrom {
  readonly kind: 'webhook' | 'poll';
  readonly ip?: string;
  /** ISO 8601. */
  readonly receivedAt: string;
}

/** Records refused events as decisions, one each up to a generous rate. The rest is counted. */
export interface RejectedEvents {
  record(provider: string, error: RejectedEvent, from: RejectedFrom): Promise<void>;
}

export function createRejectedEvents(deps: {
  readonly journal: Pick<Journal, 'settle'>;
  readonly stamp: () => Stamp;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onSettled: () => void;
}): RejectedEvents {
  /** By provider, so that a flood at one hides nothing at another. All providers here are configured ones. */
  const buckets = new Map<string, { tokens: number; filledAt: number; suppressed: number }>();
  return {
    async record(provider, error, from) {
      const now = deps.clock.now();
      const bucket = buckets.get(provider) ?? { tokens: BURST, filledAt: now, suppressed: 0 };
      buckets.set(provider, bucket);
      // The clock may have been set back since.
      const elapsedMs = Math.max(0, now - bucket.filledAt);
      bucket.tokens = Math.min(BURST, bucket.tokens + (elapsedMs / 1000) * PER_SECOND);
      bucket.filledAt = now;
      if (bucket.tokens < 1) {
        bucket.suppressed++;
        return;
      }
      bucket.tokens--;
      const detail =
        bucket.suppressed === 0
          ? error.message
          : `${error.message}; ${bucket.suppressed} more events were refused and not recorded separately`;
      bucket.suppressed = 0;
      deps.logger.warn({ provider, ip: from.ip, reason: error.code, detail }, 'an event is refused');
      const subject = `event/${encodeURIComponent(provider)}`;
      const decision = plainDecision(
        {
          resource: { kind: 'event', name: provider },
          verb: 'rejected',
          subject,
          outcome: 'refused',
          reason: reasonOf(error),
          cause: {
            kind: from.kind,
            receivedAt: from.receivedAt,
            ...(from.ip === undefined ? {} : { principal: { id: 'unauthenticated', ip: from.ip } }),
          },
          detail,
        },
        deps.stamp(),
      );
      try {
        await deps.journal.settle(subject, [decision]);
        deps.onSettled();
      } catch (cause) {
        // The event stays refused. Only the record of it is lost.
        deps.logger.error({ provider, error: messageOf(cause) }, 'a refused event could not be recorded');
      }
    },
  };
}

function reasonOf(error: RejectedEvent): 'SignatureInvalid' | 'EventStale' | 'EventInvalid' {
  if (error.code === 'ERR_SIGNATURE') return 'SignatureInvalid';
  return error instanceof StaleEvent ? 'EventStale' : 'EventInvalid';
}
