import { messageOf } from '../errors.js';
import { firstOf, withLinkedSignal } from '../linked-signal.js';
import { fieldOf } from '../model/field-of.js';
import { createNotifier } from '../notifier.js';
import { backoffMs } from '../repeat.js';
import type { Runtime } from '../runtime.js';
import type { ProofCheck } from './batch-proof.js';
import { CHECKPOINT_EVENT } from './checkpoint.js';
import { isOwnedBy, parseJson } from './envelope.js';
import { type DecisionLog, parseLogEvent } from './log.js';
import type { Delivery, WebhookSender } from './webhook.js';
import type { WebhookState, WebhookStore } from './webhook-state.js';

export interface WebhookDeliveryDeps extends Runtime {
  readonly name: string;
  readonly log: Pick<DecisionLog, 'position' | 'readFrom'>;
  readonly store: WebhookStore;
  readonly sender: WebhookSender;
  /** Which events the receiver wants, by their type. */
  readonly wants: (type: string) => boolean;
  /** A topic may hold the decisions of other owners. */
  readonly owner: string;
  /** The keys whose events are sent; absent for a log that nobody else can write to. */
  readonly proofs?: (() => ProofCheck) | undefined;
  /** While it is true nothing is sent: the store has no room for what follows. */
  readonly isPaused: () => boolean;
}

/** How often the position is stored, and the store is asked what a person wants. After a crash so much is sent again. */
export const TICK_MS = 1_000;
const FIRST_WAIT_MS = 5_000;
const MAX_WAIT_MS = 3_600_000;
/** An event that a receiver refuses while it answers: about ten minutes. */
const REFUSALS = 8;
/** An event that a receiver forbids. As many refusals need an hour at least, also if the clock steps forward. */
export const FORBIDDEN_MS = 6 * 3_600_000;
const FORBIDDEN_REFUSALS = 12;
/** An event that a receiver does not answer, or answers with a failure of its own. As many attempts need a day. */
export const OUTAGE_MS = 3 * 86_400_000;
const OUTAGE_ATTEMPTS = 48;
/** It becomes a header of the request. */
const EVENT_ID = /^[\x21-\x7e]{1,128}$/;
/** Reads all dead letters. */
const TICKS_PER_COUNT = 60;
const MAX_RESTART_MS = 30_000;

interface LogEvent {
  readonly id: string;
  readonly type: string;
  readonly text: string;
}

/**
 * Sends the events of the log to one receiver, in order, each at least once, from where it ended before; a new webhook begins
 * at the end of the log. A failed event is sent again until the receiver takes it or it becomes a dead letter; what follows
 * waits in the log. Ends when the signal aborts, and never rejects.
 */
export async function deliverWebhook(deps: WebhookDeliveryDeps, signal: AbortSignal): Promise<void> {
  const { name: webhook, logger, metrics, clock } = deps;
  let logged: string | undefined;
  for (let failures = 0; !signal.aborted; failures++) {
    const delivery = new WebhookDelivery(deps);
    try {
      await delivery.run(signal);
    } catch (error) {
      if (signal.aborted) break;
      metrics.count('scopemesh_webhook_interruptions_total', { webhook });
      const reason = messageOf(error);
      if (reason !== logged)
        logger.error({ webhook, error: reason }, 'a webhook waits: the decision log or the store fails');
      logged = reason;
    }
    if (delivery.isProgressing) [failures, logged] = [0, undefined];
    await clock.sleep(backoffMs(failures + 1, TICK_MS, MAX_RESTART_MS), signal).catch(() => {});
  }
  // Another replica counts them now.
  for (const gauge of GAUGES) metrics.gauge(gauge, 0, { webhook });
}

const GAUGES = [
  'scopemesh_webhook_failing_seconds',
  'scopemesh_webhook_dead_letters',
  'scopemesh_webhook_disabled',
] as const;

type RequestedRetry = NonNullable<WebhookState['asked']>;

class WebhookDelivery {
  readonly #deps: WebhookDeliveryDeps;
  /** The state as the store last had it. */
  #state: WebhookState = { deadLetters: 0 };
  #reached: string | undefined;
  #stored: string | undefined;
  /** Counts own changes, so that an older read does not undo one. */
  #changes = 0;
  /** The event that a person dropped last. */
  #dropped: string | undefined;
  readonly #woken = createNotifier();
  /** Something was read from the log and stored since the beginning. */
  isProgressing = false;

  constructor(deps: WebhookDeliveryDeps) {
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, store, name: webhook, logger } = this.#deps;
    let position = await store.position();
    if (position === undefined) {
      // Stored before anything is read: what is decided from now on is delivered.
      position = await log.position();
      await store.reached(position);
      logger.info({ webhook }, 'a new webhook begins with the next decision');
    }
    [this.#reached, this.#stored] = [position, position];
    this.#state = await store.count();
    const end = new AbortController();
    await withLinkedSignal([signal, end.signal], async (either) => {
      const attending = this.#attend(either)
        .catch((error: unknown) => ({ error }))
        .finally(() => end.abort());
      try {
        await this.#follow(position, either);
      } finally {
        end.abort();
        await attending;
      }
      const failure = await attending;
      if (failure !== undefined) throw failure.error;
    });
    await this.#save();
  }

  async #follow(from: string, signal: AbortSignal): Promise<void> {
    const { log, name: webhook, logger, metrics } = this.#deps;
    for await (const { event, position, isAfterGap } of log.readFrom(from, signal)) {
      if (isAfterGap) {
        metrics.count('scopemesh_webhook_gaps_total', { webhook });
        logger.error({ webhook }, 'decisions were deleted from the log before a webhook delivered them');
      }
      const selected = this.#selected(event);
      // Another configuration may not want the event that failed.
      if (selected === undefined && this.#state.failing !== undefined)
        await this.#update({ failing: undefined });
      if (selected !== undefined && !(await this.#deliver(selected, signal))) return;
      this.#reached = position;
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

  /** True once the event is delivered, given up or dropped; false if the signal aborted before. */
  async #deliver(event: LogEvent, signal: AbortSignal): Promise<boolean> {
    const { sender, store, name: webhook, logger, metrics, clock } = this.#deps;
    // After a restart the attempts go on where they ended.
    let failing = this.#state.failing?.id === event.id ? this.#state.failing : undefined;
    if (failing === undefined && this.#state.failing !== undefined)
      await this.#update({ failing: undefined });
    for (;;) {
      await this.#ready(signal);
      if (signal.aborted) return false;
      const delivery = await sender.send(event, signal);
      if (signal.aborted && delivery.kind !== 'delivered') return false;
      metrics.count('scopemesh_webhook_deliveries_total', { webhook, result: delivery.kind });
      if (delivery.kind === 'delivered') {
        if (failing !== undefined)
          logger.info({ webhook, attempts: failing.attempts }, 'a webhook takes events again');
        if (failing !== undefined || this.#state.hasGivenUp)
          await this.#update({ failing: undefined, hasGivenUp: undefined });
        return true;
      }
      const now = clock.now();
      if (delivery.kind === 'gone') {
        logger.error(
          { webhook },
          'the receiver of a webhook answered 410 Gone: the webhook is disabled; scopemesh webhooks retry enables it',
        );
        await this.#update({ disabledAt: new Date(now).toISOString() });
        continue;
      }
      const { id, type } = event;
      const { error } = delivery;
      if (failing === undefined)
        logger.warn({ webhook, eventId: id, error }, 'a webhook was not delivered; scopemesh tries again');
      const since: string = failing?.since ?? new Date(now).toISOString();
      const attempts = (failing?.attempts ?? 0) + 1;
      const isRefusal = delivery.isAboutEvent || delivery.isForbidden === true;
      const refusals: number = isRefusal ? (failing?.refusals ?? 0) + 1 : 0;
      failing = { id, type, since, attempts, refusals, error };
      await this.#update({ failing });
      const end = endOf(failing, delivery, now);
      // Who refuses one event after the other may refuse the signature, and take all of them later.
      if (end === 'outage' || (end === 'refused' && !this.#state.hasGivenUp)) {
        const at = new Date(now).toISOString();
        if (await store.bury({ id, type, at, attempts, error, event: event.text })) {
          metrics.count('scopemesh_webhook_deliveries_total', { webhook, result: 'dead' });
          logger.error({ webhook, eventId: id, attempts, error }, 'a webhook event became a dead letter');
          await this.#update({ failing: undefined, hasGivenUp: true });
          return true;
        }
        logger.error({ webhook, eventId: id }, 'the dead letters of a webhook are full: its events wait');
      }
      await this.#pause(waitMs(attempts, delivery), signal);
      if (this.#dropped === id) {
        logger.warn(
          { webhook, eventId: id, attempts },
          'a person dropped the event that a webhook waited for',
        );
        await this.#update({ failing: undefined });
        return true;
      }
    }
  }

  /** Waits while the receiver wants nothing, or the store is full. */
  async #ready(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (this.#state.disabledAt !== undefined || this.#deps.isPaused()))
      await this.#deps.clock.sleep(TICK_MS, signal).catch(() => {});
  }

  /** Ends after a time, at the signal, or when a person asks for it. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    await firstOf(signal, (either) => [clock.sleep(ms, either), this.#woken.wait(either)]).catch(() => {});
  }

  async #attend(signal: AbortSignal): Promise<undefined> {
    const { clock, store, metrics, name: webhook } = this.#deps;
    for (let ticks = 1; !signal.aborted; ticks++) {
      await this.#save();
      const changes = this.#changes;
      // A process that died may have changed the dead letters and not their number.
      const stored = await (ticks % TICKS_PER_COUNT === 0 ? store.count() : store.state());
      if (changes === this.#changes) this.#state = stored;
      const { failing, deadLetters, disabledAt } = this.#state;
      const failingMs = failing === undefined ? 0 : Math.max(0, clock.now() - Date.parse(failing.since));
      metrics.gauge('scopemesh_webhook_failing_seconds', failingMs / 1000, { webhook });
      metrics.gauge('scopemesh_webhook_dead_letters', deadLetters, { webhook });
      metrics.gauge('scopemesh_webhook_disabled', disabledAt === undefined ? 0 : 1, { webhook });
      await this.#obey(signal);
      await clock.sleep(TICK_MS, signal).catch(() => {});
    }
    return undefined;
  }

  /**
   * Carries out what a person asked for: of the dead letters one, so that the next tick is not late. It is sent out of order,
   * once, and stays if that fails.
   */
  async #obey(signal: AbortSignal): Promise<void> {
    const { asked } = this.#state;
    if (asked === undefined) return;
    this.#dropped = asked.drop ?? this.#dropped;
    if (asked.retry === true || asked.drop !== undefined) {
      this.#woken.notify();
      await this.#obeyed(asked);
    }
    const [id] = asked.ids;
    if (id === undefined) return;
    await this.#resend(id, signal);
    if (!signal.aborted) await this.#obeyed({}, id);
  }

  /** What was asked for meanwhile stays. */
  async #obeyed(done: Partial<RequestedRetry>, id?: string): Promise<void> {
    await this.#deps.store.update(({ asked, ...state }) => {
      const ids = asked?.ids.filter((each) => each !== id) ?? [];
      const drop = asked?.drop === done.drop ? undefined : asked?.drop;
      const retry = done.retry === true ? undefined : asked?.retry;
      const isDone = ids.length === 0 && drop === undefined && retry === undefined;
      return isDone ? state : { ...state, asked: { ids, drop, retry } };
    });
  }

  async #resend(id: string, signal: AbortSignal): Promise<void> {
    const { store, sender, metrics, logger, name: webhook } = this.#deps;
    const letter = (await store.deadLetters()).find((each) => each.id === id);
    if (letter === undefined) return;
    const delivery = await sender.send({ id, text: letter.event }, signal);
    if (signal.aborted && delivery.kind !== 'delivered') return;
    metrics.count('scopemesh_webhook_deliveries_total', { webhook, result: delivery.kind });
    if (delivery.kind === 'delivered') {
      await store.forget(id);
      if (this.#state.hasGivenUp) await this.#update({ hasGivenUp: undefined });
      logger.info({ webhook, eventId: id }, 'a dead letter was delivered');
    } else {
      const error = delivery.kind === 'gone' ? 'answered 410' : delivery.error;
      logger.warn({ webhook, eventId: id, error }, 'sending a dead letter again failed');
    }
  }

  async #save(): Promise<void> {
    const reached = this.#reached;
    if (reached === undefined || reached === this.#stored) return;
    await this.#deps.store.reached(reached);
    this.#stored = reached;
    this.isProgressing = true;
  }

  async #update(change: Partial<WebhookState>): Promise<void> {
    this.#changes++;
    this.#state = await this.#deps.store.update((state) => ({ ...state, ...change }));
    this.#changes++;
  }
}

/** Whether the receiver had its time; undefined if not. */
function endOf(
  { since, attempts, refusals }: NonNullable<WebhookState['failing']>,
  { isAboutEvent, isForbidden }: Extract<Delivery, { kind: 'failed' }>,
  now: number,
): 'refused' | 'outage' | undefined {
  const forMs = now - Date.parse(since);
  if (forMs >= OUTAGE_MS && attempts >= OUTAGE_ATTEMPTS) return 'outage';
  const isRefused = isAboutEvent && refusals >= REFUSALS;
  const isKeptOut = isForbidden === true && forMs >= FORBIDDEN_MS && refusals >= FORBIDDEN_REFUSALS;
  return isRefused || isKeptOut ? 'refused' : undefined;
}

/** From seconds to an hour, or as long as the receiver asked. */
function waitMs(attempts: number, { retryAfterMs = 0 }: Extract<Delivery, { kind: 'failed' }>): number {
  return Math.max(retryAfterMs, backoffMs(attempts, FIRST_WAIT_MS, MAX_WAIT_MS));
}
