import type { Redis } from 'ioredis';
import type { Clock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { Trigger } from '../../model/trigger.js';
import type { Logger } from '../../observe.js';
import { parseTrigger } from '../stored.js';
import type { RedisLink } from './redis-link.js';

const PING_MS = 10_000;

/**
 * Says that triggers became durable, by Redis' pub/sub, from processes that run no jobs to the one that does. What it loses
 * the sweep of the queue finds some seconds later.
 */
export class Wake {
  readonly #link: RedisLink;
  readonly #logger: Logger;
  readonly #clock: Clock;

  constructor(link: RedisLink, { logger, clock }: { readonly logger: Logger; readonly clock: Clock }) {
    this.#link = link;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Never rejects. */
  async publish(triggers: readonly Trigger[]): Promise<void> {
    if (triggers.length === 0) return;
    await this.#link
      .call((redis) =>
        redis.publish(this.#channel, JSON.stringify(triggers.map((each) => JSON.stringify(each)))),
      )
      .catch(() => {});
  }

  /** Calls back until the returned function is called. `listens`, after each connection: from now on nothing is missed. */
  subscribe(becameDurable: (triggers: readonly Trigger[]) => void, listens: () => void): () => void {
    const subscriber = this.#link.openSubscriber();
    subscriber.on('message', (_channel: string, text: string) => {
      try {
        const bodies: unknown = JSON.parse(text);
        if (Array.isArray(bodies)) becameDurable(bodies.map((body) => parseTrigger(String(body))));
      } catch (error) {
        this.#logger.warn({ error: messageOf(error) }, 'a message of another replica is unreadable');
      }
    });
    const over = new AbortController();
    const fail = (error: unknown) => {
      if (!over.signal.aborted)
        this.#logger.warn(
          { error: messageOf(error) },
          'this replica gets no notice of events at other replicas, and finds them some seconds later',
        );
    };
    subscriber.on('ready', () => void subscriber.subscribe(this.#channel).then(listens, fail));
    void this.#prove(subscriber, over.signal);
    return () => {
      over.abort();
      subscriber.disconnect();
    };
  }

  /** A channel may be silent for hours: without this a connection that a firewall dropped would never be missed. */
  async #prove(subscriber: Redis, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(PING_MS, signal).catch(() => {});
      if (!signal.aborted) await subscriber.ping().catch(() => {});
    }
  }

  get #channel(): string {
    return `${this.#link.prefix}:arrived`;
  }
}
