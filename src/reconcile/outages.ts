import { messageOf, SyncError } from '../errors.js';
import { formatKey, type Key } from '../model/key.js';
import type { Logger } from '../observe.js';
import type { AgendaHandler } from '../queue/follow-ups.js';
import { Outage } from '../repeat.js';
import type { ReconcilerDeps } from './deps.js';

/** How long a job of a server that is away waits. */
const PAUSE_MS = 1_000;
/** Where many jobs wait for one server, so much more for each that is not urgent, so that they come back no faster than can be tried. */
const SPREAD_MS = 4;
/** A directory that answers and does not let itself be read completely: asked again, but not at every moment. */
const UNREADABLE_PAUSE_MS = 5_000;

interface Waiting {
  readonly outage: Outage;
  /** The keys whose jobs met it. */
  readonly keys: Set<string>;
}

/**
 * A server that is away is no fault of the key. Its jobs are asked again about once a second, however long that
 * lasts, so that a revocation closes within moments of the server's return: neither waiting out a delay that grew
 * meanwhile, nor parked. They keep no place while they wait, for whoever can do without that server goes on. Everything
 * else is left to the queue's counting.
 */
export function throughOutages(
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
      // Of a job that did not meet the outage nobody knows whether it asked the server anything.
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

/** It answers, and what it answers will not do: whoever reads the log looks at permissions, and not at the network. */
function isUnreadable(error: unknown): boolean {
  return (
    error instanceof SyncError && ['ERR_DIRECTORY_DENIED', 'ERR_DIRECTORY_INCOMPLETE'].includes(error.code)
  );
}

/** Undefined: the error is the key's own. */
function pauseFor(error: SyncError, key: Key): number | undefined {
  switch (error.code) {
    case 'ERR_CONSUL_UNREACHABLE':
    case 'ERR_TIMEOUT':
    case 'ERR_DIRECTORY_UNREACHABLE':
    case 'ERR_DIRECTORY_RATE_LIMITED':
      return Math.max(PAUSE_MS, error.retryAfterMs ?? 0);
    // Without a complete directory nothing is decided at all, so it is not given up for the hour until the next look.
    case 'ERR_DIRECTORY_DENIED':
    case 'ERR_DIRECTORY_INCOMPLETE':
      return key.kind === 'provider' || key.kind === 'directory' ? UNREADABLE_PAUSE_MS : undefined;
    default:
      return undefined;
  }
}

/** Whom a job of this key talks to first. */
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
