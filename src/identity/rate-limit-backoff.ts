import type { Clock } from '../clock.js';
import { SyncError } from '../errors.js';
import type { Directory } from './directory.js';
import type { EventFeed, ProviderParts } from './provider-parts.js';

export interface BackoffParts extends ProviderParts {
  /** Milliseconds since the epoch until which nothing is asked; in the past, or undefined, where there is no pause. */
  pausedUntil(): number | undefined;
}

/** Where an IdP limits the rate and does not say for how long. */
const PAUSE_MS = 10_000;

/**
 * The same parts, which keep quiet after a 429: until the time that the IdP named, nothing of this provider is asked
 * but what an order needs. Whoever asks meanwhile gets ERR_DIRECTORY_RATE_LIMITED with the rest of the time.
 */
export function withRateLimitBackoff(parts: ProviderParts, clock: Clock): BackoffParts {
  const { directory, source } = parts;
  const { provider } = directory;
  let pause = { since: 0, until: 0 };
  const restMs = () => {
    const now = clock.now();
    // The clock was set back during the pause: how much of it is left is not known, and the provider can say so again.
    return now < pause.since ? 0 : pause.until - now;
  };

  const ask = async <T>(request: () => Promise<T>, forOrder = false): Promise<T> => {
    const rest = restMs();
    if (rest > 0 && !forOrder) {
      const message = `provider ${provider}: limits the rate of requests; nothing is asked for ${Math.ceil(rest / 1000)} s`;
      throw new SyncError('ERR_DIRECTORY_RATE_LIMITED', message, { retriable: true, retryAfterMs: rest });
    }
    try {
      return await request();
    } catch (error) {
      if (error instanceof SyncError && error.code === 'ERR_DIRECTORY_RATE_LIMITED') {
        const since = clock.now();
        pause = { since, until: since + Math.max(restMs(), error.retryAfterMs ?? PAUSE_MS) };
      }
      throw error;
    }
  };
  const feed = ({ poll, subscription }: EventFeed): Omit<EventFeed, 'source'> => ({
    ...(poll && {
      poll: {
        provider: poll.provider,
        poll: (cursor, signal) => ask(() => poll.poll(cursor, signal)),
        ...(poll.hasNews && { hasNews: poll.hasNews.bind(poll) }),
      },
    }),
    ...(subscription && {
      subscription: {
        provider: subscription.provider,
        renew: (...args) => ask(() => subscription.renew(...args)),
      },
    }),
  });

  return {
    directory: pausing(directory, ask),
    ...(source === undefined ? {} : { source }),
    ...feed(parts),
    pausedUntil: () => (restMs() > 0 ? pause.until : undefined),
  };
}

function pausing(
  directory: Directory,
  ask: <T>(request: () => Promise<T>, forOrder?: boolean) => Promise<T>,
): Directory {
  const readMembers = directory.readMembers?.bind(directory);
  const checkAccess = directory.checkAccess?.bind(directory);
  return {
    provider: directory.provider,
    readAll: (signal) => ask(() => directory.readAll(signal)),
    read: (by, value, signal, forOrder) => ask(() => directory.read(by, value, signal), forOrder),
    ...(readMembers && { readMembers: (groups, signal) => ask(() => readMembers(groups, signal)) }),
    ...(checkAccess && { checkAccess }),
    close: () => directory.close(),
  };
}
