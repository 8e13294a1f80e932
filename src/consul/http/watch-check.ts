import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import { readComplete } from './answer.js';
import type { ConsulRequest } from './request.js';
import type { Transport } from './transport.js';

/** The last answer of a blocking query. */
export interface Seen {
  readonly index: number;
  /** Of the list; undefined if only the index was asked for. */
  readonly digest: string | undefined;
}

interface WatchCheck {
  readonly clock: Clock;
  readonly everyMs: number;
  /** How long a change may take to reach the watch. */
  readonly boundMs: number;
  /** What the watch saw last; undefined while it has no answer or a fault, which it reports itself. */
  readonly seen: () => Seen | undefined;
  /** Reads the same list without blocking, on another connection. */
  readonly read: () => Promise<DigestedAnswer>;
  /** The watch has seen everything that Consul had a moment ago. */
  readonly current: () => void;
  /** The watch did not see a change within the bound. */
  readonly missed: () => void;
}

/**
 * Silence proves nothing: a watch whose answers get lost, or whose server does not wake, is as silent as a Consul
 * without changes. So the list is read without blocking from time to time, and compared with what the watch saw. The
 * index alone is no proof of a miss: the index of a list of config entries rises with every other kind, and that of a
 * KV folder with every other key, without a wake-up. Resolves when aborted.
 */
export async function checkWatch(check: WatchCheck, signal: AbortSignal): Promise<void> {
  const { clock, everyMs, boundMs, seen, read, current, missed } = check;
  while (!signal.aborted) {
    try {
      await clock.sleep(Math.round(everyMs * (0.8 + Math.random() * 0.4)), signal);
      const before = seen();
      const { index, digest } = await read();
      if (before === undefined) continue;
      const now: Seen = { index, digest };
      if (!isSame(before, now) && seen() === before) await clock.sleep(boundMs, signal);
      const after = seen();
      if (after === undefined) continue;
      // After a restored snapshot the index is lower than what the watch saw: then any new answer will do.
      const isAwake = index < before.index ? after !== before : after.index >= index;
      if (isAwake || isSame(after, now)) current();
      else missed();
    } catch (error) {
      if (signal.aborted) return;
      // An outage is for the watch to report. The age of the table grows meanwhile.
      if (!(error instanceof SyncError)) throw error;
    }
  }
}

function isSame(seen: Seen, now: Seen): boolean {
  return seen.index === now.index || seen.digest === now.digest;
}

/** A complete answer of any length, of which nothing else is kept. */
interface DigestedAnswer {
  readonly index: number;
  readonly digest: string;
  readonly bytes: number;
}

export async function readDigest(
  transport: Transport,
  request: Omit<ConsulRequest, 'method' | 'sink'>,
  signal: AbortSignal,
  expected: readonly number[],
): Promise<DigestedAnswer> {
  const hash = createHash('sha256');
  let bytes = 0;
  const sink = (chunk: Uint8Array) => {
    hash.update(chunk);
    bytes += chunk.byteLength;
  };
  const { index } = await readComplete(transport, { ...request, sink, isList: true }, signal, expected);
  return { index, digest: hash.digest('base64'), bytes };
}
