import type { Secret } from '../../model/secret.js';
import type { Runtime } from '../../runtime.js';
import { InboxQueue } from '../inbox-queue.js';
import type { LedStore, Store } from '../store-parts.js';
import { createBullmqFence } from './fence.js';
import { BullmqInbox } from './inbox.js';
import { BullmqJournal } from './journal.js';
import { createBullmqKeyValueStore } from './key-value-store.js';
import { createMemoryReserve } from './memory-reserve.js';
import { RecentEvents } from './recent-events.js';
import { createBullmqRechecks } from './rechecks.js';
import { RedisLink, type ScriptLink } from './redis-link.js';
import { createBullmqRoster } from './roster.js';
import { checkSafety } from './safety.js';
import { createBullmqSessionStore } from './session-store.js';
import { createBullmqTriggers } from './triggers.js';
import { createWake } from './wake.js';

export interface BullmqStoreOptions extends Runtime {
  /** `redis://` or `rediss://`, with user and password where needed. */
  readonly url: Secret | string;
  /** Begins the name of every key, one for each instance: `scopemesh:<owner>`. */
  readonly prefix: string;
  /** `check` accepts a Redis that can lose acknowledged work. For tests. */
  readonly allowUnsafe: boolean;
}

/** Queue, journal and key-value store in one Redis. Connects in the background; `queue.check` checks the connection. */
export function createBullmqStore(options: BullmqStoreOptions): Store {
  const { prefix, allowUnsafe, logger, metrics, clock } = options;
  const url = typeof options.url === 'string' ? options.url : options.url.reveal();
  const link = new RedisLink(url, prefix, logger, clock);
  // For the small, quick steps of the intake and the lease, which do not wait behind the scripts of jobs and journal.
  const intake = link.openSecond();
  const space = createMemoryReserve(link, { logger, metrics });
  for (const each of [link, intake]) each.whenFull((user) => space.give(user));
  const wake = createWake(intake, clock);
  const recent = new RecentEvents(clock);

  /** Triggers go in without a fence: every replica may add them. */
  const openParts = (fenced: (of: RedisLink) => ScriptLink) => {
    const triggers = createBullmqTriggers(fenced(link), intake);
    const queue = new InboxQueue(triggers, {
      clock,
      check: () => checkSafety(link, allowUnsafe, logger),
      tell: () => void wake.tell(),
      listen: (hear) => wake.listen(hear),
      noteFailure: (error, meaning) => link.noteFailure(error, meaning),
    });
    const unwatch = intake.whenOther(async () => queue.rewind());
    const keyValues = createBullmqKeyValueStore(fenced(intake));
    const journal = new BullmqJournal(fenced(link), options);
    return {
      queue,
      inbox: new BullmqInbox(intake, triggers, queue, keyValues, recent, logger),
      journal,
      keyValues,
      rechecks: createBullmqRechecks(fenced(intake)),
      space,
      async close() {
        await queue.close();
        unwatch();
        journal.close();
      },
    };
  };

  const own = openParts((of) => of);
  // It has no epoch that would bar it, so only the journals of terms make steps again.
  own.journal.close();
  // A process that does not lead accepts events too.
  intake.whenOther((redis, lostAt) => own.inbox.restore(redis, lostAt));
  return {
    ...own,
    fence: createBullmqFence(intake),
    roster: createBullmqRoster(intake),
    sessions: createBullmqSessionStore(intake, clock),
    lead: (epoch): LedStore => openParts((of) => of.fencedBy(epoch)),
    async close() {
      await own.close();
      link.close();
      intake.close();
    },
  };
}
