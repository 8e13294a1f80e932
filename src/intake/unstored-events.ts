import { messageOf, SyncError } from '../errors.js';
import type { IdentityEvent } from '../identity/source.js';
import type { Queue } from '../queue/queue.js';
import { Outage } from '../repeat.js';
import { type AcceptDeps, acceptEvents, isRelevant } from './accept-events.js';
import type { Channel } from './channel-activity.js';
import { requestFullRead } from './full-read.js';

export interface UnstoredDeps extends AcceptDeps {
  readonly queue: Pick<Queue, 'add'>;
}

/** What is kept in memory, as JSON: of events with orders, and as much again of the others. */
const MAX_CHARACTERS = 16 * 1024 * 1024;
const RETRY_MS = 1_000;
const IN_ONE_STEP = 100;

interface Kept {
  readonly provider: string;
  readonly event: IdentityEvent;
  readonly channel: Channel;
  readonly characters: number;
}

/** Events in the order of their arrival, by provider and ID: a sender that tries again changes nothing. */
interface Backlog {
  readonly kept: Map<string, Kept>;
  characters: number;
}

/**
 * Webhook events that the store refused. The sender got 503, but not every sender tries again, so they are kept in memory
 * and stored as soon as that works. Events that do not fit into memory are covered by a complete comparison with the
 * directory. An order is not: no read shows it. Therefore orders have a share of the memory that other events cannot use.
 */
export class UnstoredEvents {
  readonly #deps: UnstoredDeps;
  readonly #mostCharacters: number;
  readonly #orders: Backlog = { kept: new Map(), characters: 0 };
  readonly #changes: Backlog = { kept: new Map(), characters: 0 };
  /** Providers of which an event did not fit. */
  readonly #incomplete = new Set<string>();
  readonly #providers = new Set<string>();
  readonly #outage = new Outage();

  constructor(deps: UnstoredDeps, mostCharacters = MAX_CHARACTERS) {
    this.#deps = deps;
    this.#mostCharacters = mostCharacters;
  }

  /** `error`: why they were not stored. */
  keep(provider: string, events: readonly IdentityEvent[], channel: Channel, error: unknown): void {
    const { logger, clock } = this.#deps;
    if (!isRefusal(error)) {
      logger.error({ provider, error: messageOf(error) }, 'an event failed; the sender gets 503');
      return;
    }
    if (this.#outage.begins(clock.now()))
      logger.error(
        { provider, error: messageOf(error) },
        'events cannot be stored: the senders get 503, and scopemesh keeps the events in memory and tries again',
      );
    this.#providers.add(provider);
    for (const event of events.filter(isRelevant)) this.#keep({ provider, event, channel });
  }

  /** Stores what was kept, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    while (!signal.aborted) {
      try {
        const stored = (await this.#store(this.#orders)) + (await this.#store(this.#changes));
        await this.#readAll();
        const lastedMs = this.#outage.ends(clock.now());
        if (lastedMs !== undefined) logger.info({ lastedMs, stored }, 'events can be stored again');
      } catch (error) {
        logger.debug({ error: messageOf(error) }, 'events that are kept in memory cannot be stored yet');
      }
      for (const provider of this.#providers) this.#measure(provider);
      await clock.sleep(RETRY_MS, signal).catch(() => {});
    }
    const lost = this.#orders.kept.size + this.#changes.kept.size;
    if (lost > 0) logger.warn({ events: lost }, 'events that the store refused are lost with this process');
  }

  #keep({ provider, event, channel }: Omit<Kept, 'characters'>): void {
    const hasOrder = event.orders.length > 0;
    const backlog = hasOrder ? this.#orders : this.#changes;
    const name = JSON.stringify([provider, event.id]);
    if (backlog.kept.has(name)) return;
    const characters = JSON.stringify(event).length;
    if (backlog.characters + characters <= this.#mostCharacters) {
      backlog.kept.set(name, { provider, event, channel, characters });
      backlog.characters += characters;
      return;
    }
    this.#incomplete.add(provider);
    const kind = hasOrder ? 'order' : 'change';
    this.#deps.metrics.count('scopemesh_unstored_events_lost_total', { provider, kind });
  }

  /** Resolves with the number of stored events; rejects if the store still refuses them. */
  async #store(backlog: Backlog): Promise<number> {
    let stored = 0;
    for (let [first] = backlog.kept.values(); first !== undefined; [first] = backlog.kept.values()) {
      const { provider, channel } = first;
      const step = [...backlog.kept]
        .slice(0, IN_ONE_STEP)
        .filter(([, each]) => each.provider === provider && each.channel === channel);
      const events = step.map(([, { event }]) => event);
      try {
        await acceptEvents(provider, events, channel, this.#deps);
        stored += step.length;
      } catch (error) {
        if (isRefusal(error)) throw error;
        // The others must not wait for an event that fails each time.
        this.#incomplete.add(provider);
        this.#deps.logger.error(
          { provider, error: messageOf(error) },
          'an event that was kept in memory failed',
        );
      }
      for (const [name, { characters }] of step) {
        backlog.kept.delete(name);
        backlog.characters -= characters;
      }
    }
    return stored;
  }

  async #readAll(): Promise<void> {
    for (const provider of this.#incomplete) {
      await requestFullRead(provider, this.#deps, 'store');
      this.#incomplete.delete(provider);
      this.#deps.logger.warn(
        { provider },
        'events did not fit into memory: scopemesh compares everything with the directory',
      );
    }
  }

  #measure(provider: string): void {
    const count = (backlog: Backlog) =>
      [...backlog.kept.values()].filter((each) => each.provider === provider).length;
    const events = count(this.#orders) + count(this.#changes);
    this.#deps.metrics.gauge('scopemesh_unstored_events', events, { provider });
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof SyncError && error.code === 'ERR_QUEUE_UNREACHABLE';
}
