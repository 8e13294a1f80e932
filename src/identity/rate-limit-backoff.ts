import type { Clock } from '../clock.js';
import { SyncError } from '../errors.js';
import type { EventFeed, ProviderParts } from './provider-parts.js';

export interface BackoffParts extends ProviderParts {
  /** Milliseconds since the epoch. In the past, or undefined, if there is no pause. */
  pausedUntil(): number | undefined;
}

/** The pause if the identity provider limits the rate without stating for how long. */
const PAUSE_MS = 10_000;

/**
 * The same parts, with a pause after a 429: until the time that the identity provider stated, only what an order needs is
 * sent. Any other call fails with ERR_DIRECTORY_RATE_LIMITED and the remaining time.
 */
export function withRateLimitBackoff(parts: ProviderParts, clock: Clock): BackoffParts {
  const { directory, source } = parts;
  const { provider, readMembers } = directory;
  let pause = { since: 0, until: 0 };
  const remainingMs = () => {
    const now = clock.now();
    // The clock was set back during the pause: how much of it is left is not known, and the provider can say so again.
    return now < pause.since ? 0 : pause.until - now;
  };

  const limited = async <T>(request: () => Promise<T>, forOrder = false): Promise<T> => {
    const remaining = remainingMs();
    if (remaining > 0 && !forOrder) {
      const message = `provider ${provider}: the identity provider limits the rate of requests; the next one is sent in ${Math.ceil(remaining / 1000)} s`;
      const options = { retriable: true, retryAfterMs: remaining };
      throw new SyncError('ERR_DIRECTORY_RATE_LIMITED', message, options);
    }
    try {
      return await request();
    } catch (error) {
      if (error instanceof SyncError && error.code === 'ERR_DIRECTORY_RATE_LIMITED') {
        const since = clock.now();
        pause = { since, until: since + Math.max(remainingMs(), error.retryAfterMs ?? PAUSE_MS) };
      }
      throw error;
    }
  };
  const feed = ({ poll, subscription }: EventFeed): Omit<EventFeed, 'source'> => ({
    ...(poll && { poll: { ...poll, poll: (cursor, signal) => limited(() => poll.poll(cursor, signal)) } }),
    ...(subscription && {
      subscription: {
        provider: subscription.provider,
        renew: (...args) => limited(() => subscription.renew(...args)),
      },
    }),
  });

  return {
    directory: {
      ...directory,
      readAll: (signal, isUrgent) => limited(() => directory.readAll(signal, isUrgent)),
      read: (by, value, signal, forOrder) =>
        limited(() => directory.read(by, value, signal, forOrder), forOrder),
      ...(readMembers && {
        readMembers: (...args) => limited(() => readMembers.apply(directory, args)),
      }),
    },
    ...(source === undefined ? {} : { source }),
    ...feed(parts),
    pausedUntil: () => (remainingMs() > 0 ? pause.until : undefined),
  };
}
