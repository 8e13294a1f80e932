import type { Redis } from 'ioredis';
import { SyncError } from '../../errors.js';
import { formatKey } from '../../model/key.js';
import type { Trigger } from '../../model/trigger.js';
import type { Logger } from '../../observe.js';
import { clientKeyPrefix, type EventMemory, type Inbox, type IncomingEvent, toSteps } from '../inbox.js';
import { APPEND_ONE } from './key-scripts.js';
import type { KeyStore } from './key-store.js';
import type { BullmqKeyValueStore } from './key-value-store.js';
import { ONLY_JOURNAL } from './memory-reserve.js';
import type { BullmqQueue } from './queue.js';
import type { AcceptedEvents, RecentEvents } from './recent-events.js';
import { PUT_ONE } from './rechecks.js';
import type { RedisLink } from './redis-link.js';
import { Script, toTexts } from './script.js';

/** The reply while the memory that is left is for the journal. */
const FULL = 'full';

/**
 * ARGV: provider, what the names of remembered ids begin with, for how long; then id, number of triggers, number of
 * rechecks, these: key, 0 or 1 (urgent), trigger; id, due, JSON. Gives the ids that were new. What Redis may refuse
 * comes first and the id last: a script that fails is not undone.
 */
const ACCEPT = new Script(`${APPEND_ONE}${PUT_ONE}
if redis.call('EXISTS', P .. '${ONLY_JOURNAL}') == 1 then return '${FULL}' end
local accepted, at = {}, 4
while at < #ARGV do
  local id, triggers = ARGV[at], at + 3
  local rechecks = triggers + 3 * tonumber(ARGV[at + 1])
  at = rechecks + 3 * tonumber(ARGV[at + 2])
  local name = ARGV[2] .. id
  if redis.call('EXISTS', name) == 0 then
    for i = rechecks, at - 1, 3 do put(ARGV[1], ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
    for i = triggers, rechecks - 1, 3 do append(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
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
  readonly #link: RedisLink;
  readonly #store: KeyStore;
  readonly #queue: BullmqQueue;
  readonly #facts: BullmqKeyValueStore;
  readonly #recent: RecentEvents;
  readonly #logger: Logger;

  constructor(
    link: RedisLink,
    store: KeyStore,
    queue: BullmqQueue,
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
    const accepted = new Set<string>();
    for (const step of toSteps(events)) {
      const reply = await this.#link.run(ACCEPT, ...this.#values({ provider, events: step, memory }));
      requireRoom(reply);
      const ids = new Set(toTexts(reply));
      for (const id of ids) accepted.add(id);
      // Those that Redis knew too: the answer to their first try may have been lost.
      this.#recent.add({ provider, events: step, memory });
      this.#queue.arrived(step.flatMap(({ id, triggers }) => (ids.has(id) ? triggers : [])));
    }
    return accepted;
  }

  /**
   * Accepts the last events again in a Redis that may lack them, as after a failover to a replica that was behind: nobody
   * sends an event again that was acknowledged. Those that it has change nothing.
   */
  async restore(redis: Redis): Promise<void> {
    const restored: IncomingEvent[] = [];
    for (const accepted of this.#recent.all()) {
      for (const events of toSteps(accepted.events)) {
        const reply = await this.#link.restore(redis, ACCEPT, ...this.#values({ ...accepted, events }));
        // The memory that is left is for the journal, and all other commands wait for this.
        if (reply === FULL) continue;
        const ids = new Set(toTexts(reply));
        restored.push(...events.filter(({ id }) => ids.has(id)));
      }
    }
    if (restored.length === 0) return;
    this.#queue.arrived(restored.flatMap(({ triggers }) => triggers));
    this.#logger.warn(
      { restored: restored.length },
      'Redis had forgotten events that it had acknowledged, as after a failover; they are queued again',
    );
  }

  #values({ provider, events, memory: { scope, ttlMs } }: AcceptedEvents): (string | number)[] {
    return [
      encodeURIComponent(provider),
      this.#facts.seen(scope, ''),
      Math.max(1, Math.ceil(ttlMs)),
      ...events.flatMap(toValues),
    ];
  }

  async check(): Promise<void> {
    requireRoom(await this.#link.run(CHECK));
  }

  unsettled(provider: string): Promise<readonly Trigger[]> {
    return this.#store.triggersOf(clientKeyPrefix(provider));
  }
}

function requireRoom(reply: unknown): void {
  if (reply !== FULL) return;
  const message = 'Redis is full: the memory that is left is kept for revocations; give it more memory';
  throw new SyncError('ERR_QUEUE_UNREACHABLE', message, { retriable: true });
}

function toValues({ id, triggers, rechecks }: IncomingEvent): (string | number)[] {
  return [
    id,
    triggers.length,
    rechecks.length,
    ...triggers.flatMap((each) => [formatKey(each.key), each.urgent === true ? 1 : 0, JSON.stringify(each)]),
    ...rechecks.flatMap((each) => [each.id, Math.ceil(each.dueAt), JSON.stringify(each)]),
  ];
}
