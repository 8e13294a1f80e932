import { SyncError } from '../../errors.js';
import { clientKeyPrefix, type Inbox, type IncomingEvent, toSteps } from '../inbox.js';
import { APPEND_ONE } from './key-scripts.js';
import { type KeyStore, toAppended } from './key-store.js';
import type { BullmqKeyValueStore } from './key-value-store.js';
import { ONLY_JOURNAL } from './memory-reserve.js';
import type { BullmqQueue } from './queue.js';
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

export function createBullmqInbox(
  link: RedisLink,
  store: KeyStore,
  queue: BullmqQueue,
  facts: BullmqKeyValueStore,
): Inbox {
  return {
    async accept(provider, events, { scope, ttlMs }) {
      const accepted = new Set<string>();
      for (const step of toSteps(events)) {
        const reply = await link.run(
          ACCEPT,
          encodeURIComponent(provider),
          facts.seen(scope, ''),
          Math.max(1, Math.ceil(ttlMs)),
          ...step.flatMap(toValues),
        );
        requireRoom(reply);
        const ids = new Set(toTexts(reply));
        for (const id of ids) accepted.add(id);
        queue.arrived(step.flatMap(({ id, triggers }) => (ids.has(id) ? triggers : [])));
      }
      return accepted;
    },

    async check() {
      requireRoom(await link.run(CHECK));
    },

    unsettled: (provider) => store.triggersOf(clientKeyPrefix(provider)),
  };
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
    ...triggers.flatMap(toAppended),
    ...rechecks.flatMap((each) => [each.id, Math.ceil(each.dueAt), JSON.stringify(each)]),
  ];
}
