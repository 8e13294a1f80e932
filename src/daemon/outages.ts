import { messageOf, RefusedCredentials, SyncError } from '../errors.js';
import { formatKey, type Key } from '../model/key.js';
import type { Logger } from '../observe.js';
import type { AgendaHandler } from '../queue/follow-ups.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import { Outage } from '../repeat.js';

/** How long a job of a server that is away waits. */
const PAUSE_MS = 1_000;
/** An extra wait per waiting job for jobs that are not urgent, so that not all of them return at once. */
const SPREAD_MS = 4;
/** The pause for a directory that answers but cannot be read completely. */
const UNREADABLE_PAUSE_MS = 5_000;

interface Waiting {
  readonly outage: Outage;
  /** The keys of the jobs that failed by it. */
  readonly keys: Set<string>;
}

/**
 * An outage of a server is not a failure of the key. Its jobs are tried again about once a second as long as the outage
 * lasts, without growing delays and without parking, so that a revocation closes within moments of the server's return.
 * They hold no place while they wait, so that other jobs go on. The queue counts all other failures.
 */
export function retryThroughOutages(
  handler: AgendaHandler,
  deps: Pick<ReconcilerDeps, 'clock'> & { readonly logger: Logger; readonly onOverload?: () => void },
  random: () => number = Math.random,
): AgendaHandler {
  const outages = new Map<string, Waiting>();
  const waitingFor = (server: string) => {
    const waiting = outages.get(server) ?? { outage: new Outage(), keys: new Set() };
    outages.set(server, waiting);
    return waiting;
  };
  return async (job, signal, followUps) => {
    const server = serverOf(job.key);
    const key = formatKey(job.key);
    try {
      const result = await handler(job, signal, followUps);
      const waiting = outages.get(server);
      // A job that did not fail by the outage may not have sent a request to the server.
      if (result.kind === 'done' && waiting?.keys.has(key)) {
        const lastedMs = waiting.outage.ends(deps.clock.now());
        outages.delete(server);
        deps.logger.info({ server, lastedMs }, 'jobs reach the server again');
      }
      return result;
    } catch (error) {
      const pauseMs = error instanceof SyncError && !signal.aborted ? pauseFor(error, job.key) : undefined;
      if (pauseMs === undefined) throw error;
      if (server === 'consul') deps.onOverload?.();
      const { outage, keys } = waitingFor(server);
      keys.add(key);
      if (outage.begins(deps.clock.now()))
        deps.logger.warn(
          { server, error: messageOf(error) },
          isUnreadable(error)
            ? 'a directory cannot be read completely: its jobs wait for it'
            : 'a server is away: its jobs wait for it',
        );
      const isUrgent = job.triggers.some(({ urgent }) => urgent === true);
      const spreadMs = isUrgent ? 0 : keys.size * SPREAD_MS;
      const afterMs = Math.max(pauseMs, spreadMs) * (0.5 + random());
      return { kind: 'retry', afterMs: Math.round(afterMs) };
    }
  };
}

/** The directory answers, but not as needed: the cause is a permission, not the network. */
function isUnreadable(error: unknown): boolean {
  return (
    error instanceof SyncError && ['ERR_DIRECTORY_DENIED', 'ERR_DIRECTORY_INCOMPLETE'].includes(error.code)
  );
}

/** Undefined: the error is a failure of the key itself. */
function pauseFor(error: SyncError, key: Key): number | undefined {
  switch (error.code) {
    case 'ERR_CONSUL_UNREACHABLE':
    case 'ERR_TIMEOUT':
    case 'ERR_DIRECTORY_UNREACHABLE':
    case 'ERR_DIRECTORY_RATE_LIMITED':
      return Math.max(PAUSE_MS, error.retryAfterMs ?? 0);
    // Without a complete directory nothing is decided, so it does not wait for the next regular read.
    case 'ERR_DIRECTORY_DENIED':
    case 'ERR_DIRECTORY_INCOMPLETE':
      // The fault is the provider's, whichever client is read.
      if (error instanceof RefusedCredentials) return Math.max(PAUSE_MS, error.retryAfterMs ?? 0);
      return key.kind === 'provider' || key.kind === 'directory' ? UNREADABLE_PAUSE_MS : undefined;
    default:
      return undefined;
  }
}

/** The server that a job of this key asks first. */
function serverOf(key: Key): string {
  switch (key.kind) {
    case 'destination':
      return 'consul';
    case 'client':
      return key.provider;
    case 'provider':
    case 'directory':
      return key.name;
  }
}
