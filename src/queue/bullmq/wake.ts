import { messageOf } from '../../errors.js';
import type { Trigger } from '../../model/trigger.js';
import type { Logger } from '../../observe.js';
import { parseTrigger } from '../stored.js';
import type { RedisLink } from './redis-link.js';

/**
 * Says that triggers became durable, by Redis' pub/sub, from processes that run no jobs to the one that does. What it loses
 * the sweep of the queue finds some seconds later.
 */
export class Wake {
  readonly #link: RedisLink;
  readonly #logger: Logger;

  constructor(link: RedisLink, logger: Logger) {
    this.#link = link;
    this.#logger = logger;
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

  /** Calls back until the returned function is called. `listens`: from now on nothing is missed. */
  subscribe(heard: (triggers: readonly Trigger[]) => void, listens: () => void): () => void {
    const subscriber = this.#link.openSubscriber();
    subscriber.on('message', (_channel: string, text: string) => {
      try {
        const bodies: unknown = JSON.parse(text);
        if (Array.isArray(bodies)) heard(bodies.map((body) => parseTrigger(String(body))));
      } catch (error) {
        this.#logger.warn({ error: messageOf(error) }, 'a message of another replica is unreadable');
      }
    });
    // ioredis subscribes again after each reconnection.
    subscriber
      .subscribe(this.#channel)
      .then(listens)
      .catch((error: unknown) =>
        this.#logger.warn(
          { error: messageOf(error) },
          'this replica is not told of events at other replicas, and finds them some seconds later',
        ),
      );
    return () => subscriber.disconnect();
  }

  get #channel(): string {
    return `${this.#link.prefix}:arrived`;
  }
}
