import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, steadyClock } from '../clock.js';
import { Limiter } from '../limiter.js';
import { parseRetryAfter } from '../retry-after.js';
import type { Runtime } from '../runtime.js';
import type { Directory } from './directory.js';
import { type HttpAnswer, providerNow } from './http-client.js';

/** Divides what an identity provider answers between complete reads and the reads for single events and orders. */
export interface RequestBudget {
  /** Runs a read of many requests, which leave a share of the provider's capacity to all others. */
  bulk<T>(read: () => Promise<T>, keepFree: number): Promise<T>;
  /** Sends a request: at once, or in a bulk read when there is room. `place` names what is read. */
  send(place: string, request: () => Promise<HttpAnswer>, signal: AbortSignal): Promise<HttpAnswer>;
}

/** What a complete read leaves to others. */
export const KEEP_FREE = 1 / 2;
/** The same if an event asks for the complete read, or if nothing is known yet. */
const KEEP_FREE_IF_URGENT = 1 / 10;
/** Half of the connections to a provider. */
const MAX_BULK = 4;
/** The longest wait for one request, so that each read ends, whatever else is sent. */
const MAX_WAIT_MS = 60_000;
/** How long a limit counts that is known only from a 429: longer than the time between two complete reads. */
const LEARNED_MS = 24 * 3_600_000;
/** A complete read may always send one request in this time. Others may have used up the limit before the 429. */
const SLOWEST_MS = 2_000;
/** The window of a 429 that does not state when to try again. */
const WINDOW_MS = 10_000;
const MIN_WINDOW_MS = 1_000;
/** More requests than are sent in a window. */
const MAX_SENT = 10_000;

/** What a provider states of a limit: the part of it that is left until the reset. */
interface StatedLimit {
  readonly left: number;
  readonly resetAt: number;
}

/**
 * A complete read of a large directory can use up the requests that the provider allows in a minute. Then an event about a
 * revocation would wait for the next minute, and a read that needs more requests than one minute allows would never end.
 * So a complete read waits while less than the share to keep free is left of the limit:
 *
 *   the limit is in the headers of each answer   until the stated reset
 *   the limit is known only from a 429           until fewer requests were sent in the same time than led to it, without
 *                                                the share
 */
export function createRequestBudget({
  provider,
  clock,
  metrics,
}: Pick<Runtime, 'clock' | 'metrics'> & { readonly provider: string }): RequestBudget {
  const steady = steadyClock(clock);
  const bulkReads = new AsyncLocalStorage<number>();
  let bulkCount = 0;
  const places = new Limiter(['bulk'], (lane, running) => running(lane) < MAX_BULK);
  /** By place. */
  const stated = new Map<string, StatedLimit>();
  let learned: { readonly windowMs: number; readonly requests: number; readonly at: number } | undefined;
  let sent: number[] = [];

  const observe = (place: string, answer: HttpAnswer) => {
    const limit = statedLimit(answer, clock);
    if (limit !== undefined) stated.set(place, limit);
    else stated.delete(place);
    if (answer.status !== 429 || limit !== undefined || isWithoutLimit(answer)) return;
    const now = steady.now();
    const afterMs = parseRetryAfter(answer.headers['retry-after'], providerNow(answer, clock)) ?? WINDOW_MS;
    const windowMs = Math.min(Math.max(afterMs, MIN_WINDOW_MS), MAX_WAIT_MS);
    learned = { windowMs, requests: sentWithin(windowMs).length, at: now };
  };
  const sentWithin = (windowMs: number) => {
    const now = steady.now();
    return sent.filter((at) => at > now - windowMs);
  };
  const remainingMs = (place: string, keepFree: number): number => {
    const now = steady.now();
    const limit = stated.get(place);
    if (limit !== undefined && limit.left < keepFree && limit.resetAt > now) return limit.resetAt - now;
    if (learned === undefined || now - learned.at > LEARNED_MS) return 0;
    const { windowMs, requests } = learned;
    const allowed = Math.max(Math.ceil(windowMs / SLOWEST_MS), Math.floor(requests * (1 - keepFree)));
    const blocking = sentWithin(windowMs).at(-allowed);
    if (blocking === undefined) return 0;
    return blocking + windowMs - now;
  };
  const waitForRoom = async (place: string, keepFree: number, signal: AbortSignal) => {
    const since = steady.now();
    for (;;) {
      const leftMs = MAX_WAIT_MS - (steady.now() - since);
      const waitMs = Math.min(remainingMs(place, keepFree), leftMs);
      if (waitMs <= 0) return;
      metrics.count('scopemesh_directory_waits_total', { provider });
      await clock.sleep(waitMs, signal);
      signal.throwIfAborted();
    }
  };
  const sendNow = async (place: string, request: () => Promise<HttpAnswer>) => {
    const now = steady.now();
    const [oldest = now] = sent;
    if (oldest < now - MAX_WAIT_MS || sent.length >= MAX_SENT)
      sent = sentWithin(MAX_WAIT_MS).slice(-MAX_SENT / 2);
    sent.push(now);
    const answer = await request();
    observe(place, answer);
    return answer;
  };

  return {
    async bulk(read, keepFree) {
      bulkCount++;
      try {
        return await bulkReads.run(keepFree, read);
      } finally {
        // While it is enabled, Node does extra work for every promise of the process.
        if (--bulkCount === 0) bulkReads.disable();
      }
    },
    async send(place, request, signal) {
      const keepFree = bulkReads.getStore();
      if (keepFree === undefined) return sendNow(place, request);
      const sendLater = async () => {
        await waitForRoom(place, keepFree, signal);
        return sendNow(place, request);
      };
      return places.run('bulk', sendLater, signal);
    },
  };
}

/** The same directory, whose complete reads are bulk reads. */
export function withBulkReads(directory: Directory, budget: RequestBudget): Directory {
  return {
    ...directory,
    readAll: (signal, isUrgent = false) =>
      budget.bulk(() => directory.readAll(signal, isUrgent), isUrgent ? KEEP_FREE_IF_URGENT : KEEP_FREE),
  };
}

/** Okta, Auth0, and the draft standard (draft-ietf-httpapi-ratelimit-headers-05). */
const PREFIXES = ['x-rate-limit-', 'x-ratelimit-', 'ratelimit-'];
/** A larger number is an instant, and no number of seconds from now. */
const MAX_SECONDS = 1_000_000_000;
/** Microsoft Graph sends it only above 80 percent of its limit (https://learn.microsoft.com/graph/throttling). */
const GRAPH_USAGE = 'x-ms-throttle-limit-percentage';

/**
 * Whether a 429 names no limit: Okta's two first headers are 0 if too many requests are under way at once, whatever the limit
 * of a minute is (developer.okta.com/docs/reference/rl-best-practices). Others may have sent them.
 */
export function isWithoutLimit({ headers }: HttpAnswer): boolean {
  return PREFIXES.some((prefix) => toCount(headers[`${prefix}limit`]) === 0);
}

/** Undefined if the answer states no limit. */
function statedLimit(answer: HttpAnswer, clock: Clock): StatedLimit | undefined {
  const { headers } = answer;
  if (headers[GRAPH_USAGE] !== undefined) return { left: 0, resetAt: steadyClock(clock).now() + WINDOW_MS };
  for (const prefix of PREFIXES) {
    const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) =>
      toCount(headers[prefix + name]),
    );
    if (limit === undefined || limit === 0 || remaining === undefined || reset === undefined) continue;
    const waitMs = reset * 1000 - (reset > MAX_SECONDS ? providerNow(answer, clock) : 0);
    return { left: remaining / limit, resetAt: steadyClock(clock).now() + Math.max(waitMs, MIN_WINDOW_MS) };
  }
  return undefined;
}

function toCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,11}$/.test(text) ? Number(text) : undefined;
}
