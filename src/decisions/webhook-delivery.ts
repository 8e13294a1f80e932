import { messageOf } from '../errors.js';
import { withLinkedSignal } from '../linked-signal.js';
import { fieldOf } from '../model/field-of.js';
import { backoffMs } from '../repeat.js';
import type { Runtime } from '../runtime.js';
import type { ProofCheck } from './batch-proof.js';
import { CHECKPOINT_EVENT } from './checkpoint.js';
import { isOwnedBy, parseJson } from './envelope.js';
import { type DecisionLog, type PlacedEvent, parseLogEvent } from './log.js';
import type { WebhookSender } from './webhook.js';
import { type Cursor, parseCursor, type WebhookCursor } from './webhook-cursor.js';

interface WebhookDeliveryDeps extends Runtime {
  readonly name: string;
  readonly log: Pick<DecisionLog, 'position' | 'readFrom'>;
  readonly cursor: WebhookCursor;
  readonly sender: WebhookSender;
  /** Which events the receiver wants, by their type. */
  readonly wants: (type: string) => boolean;
  /** A topic may hold the decisions of other owners. */
  readonly owner: string;
  /** The keys whose events are sent; absent for a log that nobody else can write to. */
  readonly proofs?: (() => ProofCheck) | undefined;
  /** While it is true nothing is sent: the store has no room for the cursor. */
  readonly isPaused: () => boolean;
}

/** How often the cursor is stored, or looked at. After a crash the events of so long are sent again. */
export const TICK_MS = 1_000;
const FIRST_WAIT_MS = 5_000;
const MAX_WAIT_MS = 300_000;
const MAX_RESTART_MS = 30_000;
/** It becomes a header of the request. */
const EVENT_ID = /^[\x21-\x7e]{1,128}$/;

interface LogEvent {
  readonly id: string;
  readonly type: string;
  readonly text: string;
}

/** Somebody else moved the cursor: a person who skips an event, or another leader. */
class MovedCursor extends Error {}

/**
 * Sends the events of the log to one receiver, in order, each at least once, from its cursor on; a new webhook begins at the end
 * of the log. An event that fails is sent again until the receiver takes it, or a person skips it; what follows waits in the log.
 * Ends when the signal aborts, and never rejects.
 */
export async function deliverWebhook(deps: WebhookDeliveryDeps, signal: AbortSignal): Promise<void> {
  const { name: webhook, logger, metrics, clock } = deps;
  let logged: string | undefined;
  for (let failures = 0; !signal.aborted; failures++) {
    const delivery = new WebhookDelivery(deps);
    try {
      await delivery.run(signal).finally(() => {
        if (delivery.isProgressing) [failures, logged] = [0, undefined];
      });
    } catch (error) {
      if (signal.aborted) break;
      if (error instanceof MovedCursor) {
        logger.info({ webhook }, 'a webhook goes on where its cursor was moved to');
      } else {
        metrics.count('scopemesh_webhook_interruptions_total', { webhook });
        const reason = messageOf(error);
        if (reason !== logged)
          logger.error({ webhook, error: reason }, 'a webhook waits: the decision log or the store fails');
        logged = reason;
      }
    }
    await clock.sleep(backoffMs(failures + 1, TICK_MS, MAX_RESTART_MS), signal).catch(() => {});
  }
  // Another replica counts now.
  metrics.gauge('scopemesh_webhook_failing_seconds', 0, { webhook });
}

class WebhookDelivery {
  readonly #deps: WebhookDeliveryDeps;
  #cursor: Cursor = { position: '' };
  /** The cursor as this process stored it last. */
  #stored: string | undefined;
  /** The cursor was stored since the beginning. */
  isProgressing = false;

  constructor(deps: WebhookDeliveryDeps) {
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, cursor, name: webhook, logger } = this.#deps;
    this.#stored = await cursor.stored();
    const known = parseCursor(this.#stored);
    this.#cursor = known ?? { position: await log.position() };
    if (known === undefined) {
      // Stored before anything is read: what is decided from now on is delivered.
      await this.#save();
      logger.info({ webhook }, 'a new webhook begins with the next decision');
    }
    const end = new AbortController();
    await withLinkedSignal([signal, end.signal], async (either) => {
      const keeping = this.#keep(either)
        .catch((error: unknown) => ({ error }))
        .finally(() => end.abort());
      try {
        await this.#follow(either);
      } finally {
        end.abort();
        await keeping;
      }
      const failure = await keeping;
      if (failure !== undefined) throw failure.error;
    });
    await this.#save();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { log, name: webhook, logger, metrics } = this.#deps;
    for await (const placed of log.readFrom(this.#cursor.position, signal)) {
      if (placed.isAfterGap) {
        metrics.count('scopemesh_webhook_gaps_total', { webhook });
        logger.error({ webhook }, 'decisions were deleted from the log before a webhook delivered them');
      }
      const selected = this.#selected(placed.event);
      if (selected !== undefined && !(await this.#deliver(selected, placed, signal))) return;
      this.#cursor = { position: placed.position };
    }
  }

  #selected(text: string): LogEvent | undefined {
    const { wants, owner, proofs, name: webhook, logger, metrics } = this.#deps;
    try {
      const event = parseJson(text);
      const [id, type, source] = ['id', 'type', 'source'].map((field) => fieldOf(event, field));
      if (typeof id !== 'string' || typeof type !== 'string' || typeof source !== 'string')
        throw new Error('it is no CloudEvent');
      if (!isOwnedBy(owner, source) || !wants(type)) return undefined;
      if (proofs?.().isProvenEvent(text) === false)
        throw new Error('no key signed it that this replica trusts');
      if (parseLogEvent(text) === undefined) CHECKPOINT_EVENT.parse(event);
      if (!EVENT_ID.test(id)) throw new Error('its ID is not 1 to 128 visible ASCII characters');
      return { id, type, text };
    } catch (error) {
      metrics.count('scopemesh_webhook_deliveries_total', { webhook, result: 'skipped' });
      logger.warn({ webhook, error: messageOf(error) }, 'skipped an event that is not a decision');
      return undefined;
    }
  }

  /** True once the receiver took the event; false if the signal aborted before. */
  async #deliver(event: LogEvent, { position: behind }: PlacedEvent, signal: AbortSignal): Promise<boolean> {
    const { sender, name: webhook, logger, metrics, clock } = this.#deps;
    const { id, type } = event;
    // After a restart the attempts are counted on.
    let failing = this.#cursor.failing?.id === id ? this.#cursor.failing : undefined;
    for (;;) {
      await this.#room(signal);
      if (signal.aborted) return false;
      const delivery = await sender.send(event, signal);
      if (signal.aborted && delivery.kind !== 'delivered') return false;
      metrics.count('scopemesh_webhook_deliveries_total', { webhook, result: delivery.kind });
      if (delivery.kind === 'delivered') {
        if (failing !== undefined)
          logger.info({ webhook, attempts: failing.attempts }, 'a webhook takes events again');
        return true;
      }
      const { error, retryAfterMs = 0 } = delivery;
      if (failing === undefined)
        logger.warn({ webhook, eventId: id, error }, 'a webhook was not delivered; scopemesh tries again');
      const since: string = failing?.since ?? new Date(clock.now()).toISOString();
      const attempts: number = (failing?.attempts ?? 0) + 1;
      failing = { id, type, since, attempts, error, behind };
      this.#cursor = { ...this.#cursor, failing };
      const waitMs = Math.max(retryAfterMs, backoffMs(attempts, FIRST_WAIT_MS, MAX_WAIT_MS));
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#deps.isPaused())
      await this.#deps.clock.sleep(TICK_MS, signal).catch(() => {});
  }

  /** Stores the cursor, and looks whether somebody else moved it. */
  async #keep(signal: AbortSignal): Promise<undefined> {
    const { clock, metrics, name: webhook } = this.#deps;
    while (!signal.aborted) {
      await this.#save();
      const { failing } = this.#cursor;
      const failingMs = failing === undefined ? 0 : Math.max(0, clock.now() - Date.parse(failing.since));
      metrics.gauge('scopemesh_webhook_failing_seconds', failingMs / 1000, { webhook });
      await clock.sleep(TICK_MS, signal).catch(() => {});
    }
    return undefined;
  }

  /** Throws MovedCursor. */
  async #save(): Promise<void> {
    const { cursor } = this.#deps;
    if (JSON.stringify(this.#cursor) === this.#stored) {
      if ((await cursor.stored()) !== this.#stored) throw new MovedCursor();
      return;
    }
    const stored = await cursor.move(this.#stored, this.#cursor);
    if (stored === undefined) throw new MovedCursor();
    this.#stored = stored;
    this.isProgressing = true;
  }
}
