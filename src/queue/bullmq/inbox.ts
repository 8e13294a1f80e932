import type { Redis } from 'ioredis';
import { messageOf, SyncError } from '../../errors.js';
import type { Trigger } from '../../model/trigger.js';
import type { Logger } from '../../observe.js';
import {
  type EventMemory,
  type Inbox,
  type IncomingEvent,
  type TriggerStore,
  toSteps,
  unsettledOf,
} from '../inbox.js';
import type { InboxQueue } from '../inbox-queue.js';
import type { BullmqKeyValueStore } from './key-value-store.js';
import { ONLY_JOURNAL } from './memory-reserve.js';
import type { AcceptedEvents, RecentEvents } from './recent-events.js';
import { PUT_ONE, toPut } from './rechecks.js';
import { isOutOfMemory, type ScriptLink } from './redis-link.js';
import { Script, toTexts } from './script.js';
import { APPEND_ONE, newToken, toKeyAndBody } from './triggers.js';

/** The reply while the memory that is left is for the journal. */
const FULL = 'full';
const NO_ROOM = 'Redis is full: the memory that is left is kept for revocations; give it more memory';

/**
 * ARGV: provider, what the names of remembered ids begin with, for how long, token; then id, number of triggers, number of
 * rechecks, these: key, trigger; id, due, JSON. Gives the ids that were new. What Redis may refuse
 * comes first and the id last: a script that fails is not undone.
 */
const ACCEPT = new Script(`${APPEND_ONE}${PUT_ONE}
if redis.call('EXISTS', P .. '${ONLY_JOURNAL}') == 1 then return '${FULL}' end
local accepted, at = {}, 5
while at < #ARGV do
  local id, triggers = ARGV[at], at + 3
  local rechecks = triggers + 2 * tonumber(ARGV[at + 1])
  at = rechecks + 3 * tonumber(ARGV[at + 2])
  local name = ARGV[2] .. id
  if redis.call('EXISTS', name) == 0 then
    for i = rechecks, at - 1, 3 do put(ARGV[1], ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
    for i = triggers, rechecks - 1, 2 do append(ARGV[4], ARGV[i], ARGV[i + 1]) end
    redis.call('SET', name, '1', 'PX', ARGV[3])
    accepted[#accepted + 1] = id
  end
end
return accepted`);

/** A write that needs memory, as an event does. */
const CHECK = new Script(`
if redis.call('EXISTS', P .. '${ONLY_JOURNAL}') == 1 then return '${FULL}' end
redis.call('HSET', P .. ':facts', 'probe', '1')
return 1`);

export class BullmqInbox implements Inbox {
  readonly #link: ScriptLink;
  readonly #store: TriggerStore;
  readonly #queue: Pick<InboxQueue, 'arrived'>;
  readonly #facts: BullmqKeyValueStore;
  readonly #recent: RecentEvents;
  readonly #logger: Logger;

  constructor(
    link: ScriptLink,
    store: TriggerStore,
    queue: Pick<InboxQueue, 'arrived'>,
    facts: BullmqKeyValueStore,
    recent: RecentEvents,
    logger: Logger,
  ) {
    this.#link = link;
    this.#store = store;
    this.#queue = queue;
    this.#facts = facts;
    this.#recent = recent;
    this.#logger = logger;
  }

  async accept(
    provider: string,
    events: readonly IncomingEvent[],
    memory: EventMemory,
  ): Promise<ReadonlySet<string>> {
    await this.#acceptMissing();
    const accepted = new Set<string>();
    for (const step of toSteps(events)) {
      const one = { provider, events: step, memory };
      for (const id of await this.#accept(one)) accepted.add(id);
      // Those that Redis knew too: the answer to their first try may have been lost.
      this.#recent.add(one);
    }
    return accepted;
  }

  /**
   * Accepts the last events again in a Redis that may lack them, as after a failover to a replica that was behind: nobody
   * sends an event again that was acknowledged. Those that it has change nothing. Without room for them they wait for the
   * next call that finds room, because all other commands wait for this one.
   */
  async restore(redis: Redis, lostAt: number): Promise<void> {
    this.#recent.lost(lostAt);
    try {
      await this.#acceptMissing(redis);
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#logger.error(
        { events: this.#recent.countMissing, error: messageOf(error) },
        'Redis may have forgotten events that it had acknowledged, and has no room for them; give it more memory',
      );
    }
  }

  /** `redis`: of a restoration. */
  async #acceptMissing(redis?: Redis): Promise<void> {
    if (this.#recent.countMissing === 0) return;
    let restored = 0;
    try {
      // Each step waits for Redis, so the event loop goes on in between.
      for (const step of this.#recent.missing()) {
        restored += (await this.#accept(step, redis)).size;
        this.#recent.restored(step);
      }
    } finally {
      if (restored > 0)
        this.#logger.warn(
          { restored },
          'Redis had forgotten events that it had acknowledged, as after a failover; they are queued again',
        );
    }
  }

  /** Gives the IDs that were new. */
  async #accept(step: AcceptedEvents, redis?: Redis): Promise<ReadonlySet<string>> {
    const values = this.#values(step);
    const reply = await (redis === undefined
      ? this.#link.run(ACCEPT, ...values)
      : this.#link.restore(redis, ACCEPT, ...values));
    requireRoom(reply);
    const ids = new Set(toTexts(reply));
    if (ids.size > 0) this.#queue.arrived();
    return ids;
  }

  #values({ provider, events, memory: { scope, ttlMs } }: AcceptedEvents): (string | number)[] {
    return [
      encodeURIComponent(provider),
      this.#facts.seen(scope, ''),
      Math.max(1, Math.ceil(ttlMs)),
      newToken(),
      ...events.flatMap(toValues),
    ];
  }

  async check(): Promise<void> {
    requireRoom(await this.#link.run(CHECK));
    await this.#acceptMissing();
  }

  unsettled(provider: string): Promise<readonly Trigger[]> {
    return unsettledOf(this.#store, provider);
  }
}

function requireRoom(reply: unknown): void {
  if (reply === FULL) throw new SyncError('ERR_QUEUE_UNREACHABLE', NO_ROOM, { retriable: true });
}

function isFull(error: unknown): boolean {
  return isOutOfMemory(error) || messageOf(error) === NO_ROOM;
}

function toValues({ id, triggers, rechecks }: IncomingEvent): (string | number)[] {
  return [
    id,
    triggers.length,
    rechecks.length,
    ...triggers.flatMap(toKeyAndBody),
    ...rechecks.flatMap(toPut),
  ];
}
