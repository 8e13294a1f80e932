import type { Redis } from 'ioredis';
import { messageOf } from '../../errors.js';
import type { Trigger } from '../../model/trigger.js';
import type { Runtime } from '../../runtime.js';
import { parseTrigger } from '../stored.js';
import type { RedisLink } from './redis-link.js';

const PING_MS = 10_000;

/**
 * Says that triggers became durable, by Redis' pub/sub, from processes that run no jobs to the one that does. What it loses
 * the sweep of the queue finds some seconds later.
 */
export interface Wake {
  /** Never rejects. */
  publish(triggers: readonly Trigger[]): Promise<void>;
  /** Calls back until the returned function is called. `listens`, after each connection: from now on nothing is missed. */
  subscribe(becameDurable: (triggers: readonly Trigger[]) => void, listens: () => void): () => void;
}

export function createWake(link: RedisLink, { logger, clock }: Pick<Runtime, 'logger' | 'clock'>): Wake {
  const channel = `${link.prefix}:arrived`;
  /** A channel may be silent for hours: without this a connection that a firewall dropped would never be missed. */
  const prove = async (subscriber: Redis, signal: AbortSignal) => {
    while (!signal.aborted) {
      await clock.sleep(PING_MS, signal).catch(() => {});
      if (!signal.aborted) await subscriber.ping().catch(() => {});
    }
  };
  return {
    async publish(triggers) {
      if (triggers.length === 0) return;
      const text = JSON.stringify(triggers.map((each) => JSON.stringify(each)));
      await link.call((redis) => redis.publish(channel, text)).catch(() => {});
    },

    subscribe(becameDurable, listens) {
      const subscriber = link.openSubscriber();
      subscriber.on('message', (_channel: string, text: string) => {
        try {
          const bodies: unknown = JSON.parse(text);
          if (Array.isArray(bodies)) becameDurable(bodies.map((body) => parseTrigger(String(body))));
        } catch (error) {
          logger.warn({ error: messageOf(error) }, 'a message of another replica is unreadable');
        }
      });
      const over = new AbortController();
      const fail = (error: unknown) => {
        if (!over.signal.aborted)
          logger.warn(
            { error: messageOf(error) },
            'this replica gets no notice of events at other replicas, and finds them some seconds later',
          );
      };
      subscriber.on('ready', () => void subscriber.subscribe(channel).then(listens, fail));
      void prove(subscriber, over.signal);
      return () => {
        over.abort();
        subscriber.disconnect();
      };
    },
  };
}
