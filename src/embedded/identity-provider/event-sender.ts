import { randomUUID } from 'node:crypto';
import { type Clock, isoInstant } from '../../clock.js';
import { SyncError } from '../../errors.js';
import { withLinkedSignal } from '../../linked-signal.js';
import type { Secret } from '../../model/secret.js';
import { parseWebhookSecret, signWebhook } from '../../standard-webhooks.js';

interface EventSenderOptions {
  readonly url: string;
  /** `whsec_<base64>`. */
  readonly secret: Secret;
  readonly clock: Clock;
}

/** Delivers events one after the other, so that they arrive in the order of the changes. */
interface EventSender {
  /** Returns at once, and drops the event if too many wait. Delivery is retried in memory for about two minutes, then given up. */
  send(type: string, content: Readonly<Record<string, unknown>>): void;
  /** Resolves once no event waits. */
  settled(): Promise<void>;
  /** Drops waiting events. */
  close(): Promise<void>;
}

const BACKOFF_MS = [100, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000];
const ATTEMPT_TIMEOUT_MS = 5000;
const MAX_WAITING = 10_000;

/** Signed webhooks by Standard Webhooks 1.0. Each attempt has its own timestamp, each event one ID. */
export function createEventSender(options: EventSenderOptions): EventSender {
  const { url, secret, clock } = options;
  const key = parseKey(secret);
  const stop = new AbortController();
  let waiting = 0;
  let chain: Promise<void> = Promise.resolve();

  const deliver = async (id: string, body: string): Promise<void> => {
    for (const backoffMs of [...BACKOFF_MS, undefined]) {
      if ((await isTaken(id, body)) || stop.signal.aborted || backoffMs === undefined) return;
      await clock.sleep(backoffMs, stop.signal);
    }
  };

  const isTaken = async (id: string, body: string): Promise<boolean> => {
    const send = async (signal: AbortSignal) => {
      const headers = { 'content-type': 'application/json', ...signWebhook([key], id, clock.now(), body) };
      const response = await fetch(url, { method: 'POST', redirect: 'manual', headers, body, signal });
      await response.body?.cancel();
      return response.ok;
    };
    try {
      return await withLinkedSignal([stop.signal], send, ATTEMPT_TIMEOUT_MS);
    } catch {
      return false;
    }
  };

  return {
    send(type, content) {
      if (stop.signal.aborted || waiting >= MAX_WAITING) return;
      const id = `msg_${randomUUID()}`;
      const body = JSON.stringify({ type, timestamp: isoInstant(clock), data: content });
      waiting += 1;
      // close() interrupts a sleep, which then rejects. No caller waits for it.
      chain = chain
        .then(() => (stop.signal.aborted ? undefined : deliver(id, body)))
        .catch(() => {})
        .finally(() => {
          waiting -= 1;
        });
    },
    settled: () => chain,
    async close() {
      stop.abort(new Error('closed'));
      await chain;
    },
  };
}

function parseKey(secret: Secret): Uint8Array {
  const parsed = parseWebhookSecret(secret);
  if ('key' in parsed) return parsed.key;
  const message = `embedded identity provider: the webhook secret ${parsed.fault}`;
  throw new SyncError('ERR_CONFIG', message, { retriable: false });
}
