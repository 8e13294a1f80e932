import { type Clock, systemClock } from '../clock.js';
import { invalidEvent, messageOf, SyncError } from '../errors.js';
import type { Decision } from '../model/decision.js';
import type { Secret } from '../model/secret.js';
import { type Logger, silentLogger } from '../observe.js';
import { backoffMs } from '../repeat.js';
import { ChainCheck } from './chain-check.js';
import { parseCloudEvent } from './envelope.js';
import { toTrailRecord } from './trail-record.js';

export interface StreamOptions {
  /** The address of scopemesh, as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** One of `http.tokens`, or what the token file has. */
  readonly token: Secret | string;
  /** The public keys that you trust, as `trail-key.pub` has them. */
  readonly keys: readonly string[];
  /** Where to begin without `lastEventId`: `end` (the default) or `start`. */
  readonly from?: 'start' | 'end';
  /** The ID of the last decision that was handled. */
  readonly lastEventId?: string;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** scopemesh sends something every 15 s. */
const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;
/** Answers that another attempt may change. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * The decisions of `GET /api/decisions/stream`, in their order, each once: after an interruption it connects again and goes on
 * after the last one. Store the `id` of what you have handled, and give it as `lastEventId` at the next start. Ends when the
 * signal is aborted. Throws SyncError ERR_EVENT_INVALID if the chain is broken or not signed, or if the log does not have `lastEventId` any
 * more, and ERR_DECISIONS_UNREACHABLE for an answer that another attempt does not change.
 */
export async function* streamDecisions(options: StreamOptions, signal: AbortSignal): AsyncIterable<Decision> {
  const { clock = systemClock, logger = silentLogger } = options;
  const chain = new ChainCheck(options.keys);
  let last = options.lastEventId;
  let failures = 0;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const stop = attempt.signal;
    const end = () => attempt.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    try {
      for await (const { id, event, data } of alive(connect(options, last, stop), attempt, clock)) {
        if (signal.aborted) return;
        failures = 0;
        if (id === undefined) continue;
        // Another message only says where to go on: a checkpoint, or where the stream begins.
        if (event === 'decision') {
          chain.see(toTrailRecord(data));
          yield parseCloudEvent(data);
        }
        last = id;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof SyncError && !error.retriable) throw error;
      logger.warn({ error: messageOf(error) }, 'the stream of decisions was interrupted; connecting again');
    } finally {
      signal.removeEventListener('abort', end);
      attempt.abort();
    }
    await clock.sleep(backoffMs(++failures, FIRST_WAIT_MS, MAX_WAIT_MS), signal).catch(() => {});
  }
}

async function* connect(
  { url, token, from = 'end' }: StreamOptions,
  last: string | undefined,
  signal: AbortSignal,
): AsyncIterable<ServerSentEvent> {
  const secret = typeof token === 'string' ? token : token.reveal();
  const address = new URL(`/api/decisions/stream?from=${from}`, url);
  const answer = await fetch(address, {
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${secret}`,
      ...(last === undefined ? {} : { 'last-event-id': last }),
    },
    // The token is for this address alone.
    redirect: 'error',
    signal,
  });
  if (answer.status !== 200 || answer.body === null) {
    await answer.body?.cancel();
    const code = answer.status === 410 ? 'ERR_EVENT_INVALID' : 'ERR_DECISIONS_UNREACHABLE';
    const message =
      answer.status === 410
        ? 'The log does not have the last event any more; begin again from the start.'
        : `scopemesh answered ${answer.status} to the request for the stream of decisions.`;
    throw new SyncError(code, message, { retriable: PASSING.has(answer.status) });
  }
  yield* parseServerSentEvents(answer.body);
}

/** The messages, until nothing came for too long: then the attempt is aborted, which ends the connection. */
async function* alive<T>(
  messages: AsyncIterable<T>,
  attempt: AbortController,
  clock: Clock,
): AsyncIterable<T> {
  let seenAt = clock.now();
  void (async () => {
    while (!attempt.signal.aborted) {
      const leftMs = seenAt + SILENCE_MS - clock.now();
      if (leftMs <= 0) return attempt.abort(new Error('scopemesh sent nothing for 45 s'));
      await clock.sleep(leftMs, attempt.signal);
    }
  })().catch(() => {}); // the attempt has ended
  for await (const message of messages) {
    yield message;
    // Also after a consumer that took long.
    seenAt = clock.now();
  }
}

interface ServerSentEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** Larger than any decision. */
const LONGEST_EVENT = 8 * 1024 * 1024;

/**
 * The messages of an event stream (HTML standard, section 9.2.6), as scopemesh sends them: lines end with a line feed, and a
 * message has one line of data. One without data is a sign of life, and is given too. Throws SyncError ERR_EVENT_INVALID for one that is too long.
 */
async function* parseServerSentEvents(chunks: AsyncIterable<Uint8Array>): AsyncIterable<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    if (rest.length > LONGEST_EVENT) throw invalidEvent('An event of the stream is too long.');
    for (const block of blocks) yield parseBlock(block);
  }
}

function parseBlock(block: string): ServerSentEvent {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [name = '', value = ''] = line.split(/: ?(.*)/s);
    fields.set(name, value);
  }
  return { id: fields.get('id'), event: fields.get('event') ?? 'message', data: fields.get('data') ?? '' };
}
