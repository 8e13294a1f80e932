import type { Clock } from '../clock.js';
import { messageOf, type RejectedEvent, StaleEvent } from '../errors.js';
import type { EventOrigin } from '../identity/source.js';
import { plainDecision, type Stamp } from '../model/plain-decision.js';
import { TokenBucket } from '../model/token-bucket.js';
import type { Logger, Metrics } from '../observe.js';
import type { Journal } from '../queue/journal.js';
import type { StoreSpace } from '../queue/store-space.js';

/** Anyone can send forged events, so they are recorded only so often: at a flood some 250 KB a day for each provider. */
const LIMIT = { burst: 100, everyMs: 5 * 60_000 };
/** How often it is checked whether there are events to report that were not recorded. */
const REPORT_MS = 60_000;
/** An error may quote what the sender wrote. */
const MAX_DETAIL = 500;

/** How a refused event arrived. `ip` is the address of the sender of a request. */
interface RejectedFrom extends EventOrigin {
  readonly ip?: string;
}

/** Records refused events as decisions and in the log, one each up to a rate. The rest is counted. */
export interface RejectedEvents {
  record(provider: string, error: RejectedEvent, from: RejectedFrom): Promise<void>;
  /** Records how many events were not recorded, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

interface Refused {
  readonly limit: TokenBucket;
  last: { readonly error: RejectedEvent; readonly from: RejectedFrom } | undefined;
}

export function createRejectedEvents(deps: {
  readonly journal: Pick<Journal, 'settle'>;
  readonly space: Pick<StoreSpace, 'isLow'>;
  readonly stamp: () => Stamp;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly onSettled: () => void;
}): RejectedEvents {
  /** By provider, so that a flood at one hides nothing at another. All providers here are configured ones. */
  const refusals = new Map<string, Refused>();

  const write = async (provider: string, error: RejectedEvent, from: RejectedFrom, more: number) => {
    const message = error.message.slice(0, MAX_DETAIL);
    const detail =
      more === 0 ? message : `${message}; ${more} more events were refused and not recorded separately`;
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
  };

  return {
    async record(provider, error, from) {
      const refused = refusals.get(provider) ?? { limit: new TokenBucket(LIMIT), last: undefined };
      refusals.set(provider, refused);
      // A forged event must not use the space that the store keeps back for revocations.
      if (deps.space.isLow()) refused.limit.suppress();
      else if (refused.limit.take(deps.clock.now()))
        return write(provider, error, from, refused.limit.report());
      refused.last = { error, from };
      deps.metrics.count('scopemesh_decisions_suppressed_total', { kind: 'event' });
    },

    async run(signal) {
      while (!signal.aborted) {
        for (const [provider, { limit, last }] of refusals) {
          const isDue = last !== undefined && limit.suppressed > 0 && !deps.space.isLow();
          // The last one is among those that were counted.
          if (isDue && limit.mayPass(deps.clock.now()) && limit.take(deps.clock.now()))
            await write(provider, last.error, last.from, limit.report() - 1);
        }
        await deps.clock.sleep(REPORT_MS, signal).catch(() => {});
      }
    },
  };
}

function reasonOf(error: RejectedEvent): 'SignatureInvalid' | 'EventStale' | 'EventInvalid' {
  if (error.code === 'ERR_SIGNATURE') return 'SignatureInvalid';
  return error instanceof StaleEvent ? 'EventStale' : 'EventInvalid';
}
