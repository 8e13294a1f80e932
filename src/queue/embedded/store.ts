import { messageOf, SyncError } from '../../errors.js';
import type { Runtime } from '../../runtime.js';
import type { TriggerStore } from '../inbox.js';
import { InboxQueue, unsafe } from '../inbox-queue.js';
import type { Store } from '../store-parts.js';
import { lockDirectory } from './directory-lock.js';
import { createEmbeddedFence, type EmbeddedFence } from './fence.js';
import { createEmbeddedInbox } from './inbox.js';
import { EmbeddedJournal } from './journal.js';
import { createEmbeddedKeyValueStore } from './key-value-store.js';
import { createEmbeddedRechecks } from './rechecks.js';
import { createEmbeddedRoster } from './roster.js';
import { JOURNAL_FILE, QUEUE_FILE } from './schemas.js';
import { createEmbeddedSessionStore } from './session-store.js';
import { createSpaceReserve, type SpaceReserve } from './space-reserve.js';
import { type FileSpace, isFull, StateFile, type StateSchema } from './state-file.js';
import { createEmbeddedTriggers } from './triggers.js';

export interface EmbeddedStoreOptions extends Runtime {
  /** Created if it is missing; one daemon at a time. */
  readonly directory: string;
}

/** `damaged` rejects with ERR_STATE_DAMAGED. */
export type EmbeddedStore = Store & Required<Pick<Store, 'damaged'>>;

/**
 * Queue, rechecks and remembered IDs in the SQLite file `queue.db` of the directory, the journal and the values of the
 * key-value store in `journal.db`, and space that is kept back for both. Throws SyncError ERR_STATE_LOCKED if a daemon uses the directory already, ERR_QUEUE_UNREACHABLE if a file cannot be used.
 */
export function createEmbeddedStore(options: EmbeddedStoreOptions): EmbeddedStore {
  const { directory, logger, metrics, clock } = options;
  const unlock = lockDirectory(directory);
  let file: StateFile | undefined;
  let journalFile: StateFile | undefined;
  let journal: EmbeddedJournal;
  let space: SpaceReserve;
  let fence: EmbeddedFence;
  try {
    space = createSpaceReserve(directory, { logger, metrics });
    const spaceFor = (user: 'events' | 'journal') => ({
      give: () => space.give(user),
      isLow: () => space.isLow(),
    });
    journalFile = openFile(directory, JOURNAL_FILE, spaceFor('journal'));
    file = openFile(directory, QUEUE_FILE, spaceFor('events'));
    journal = new EmbeddedJournal(journalFile);
    fence = createEmbeddedFence(journalFile);
  } catch (error) {
    void file?.close();
    void journalFile?.close();
    unlock();
    throw error;
  }
  const triggers = createEmbeddedTriggers(file);
  const check = async () => {
    if (!file.read(() => file.isDurable()))
      throw unsafe(
        'the file system of the state directory does not support a durable write-ahead log; put state.directory on a local disk.',
      );
    await file.write(() => {});
  };
  // What another queue of this process accepted, the one at work hears of at once.
  const listeners = new Set<() => void>();
  const openQueue = (of: TriggerStore) =>
    new InboxQueue(of, {
      clock,
      check,
      tell: () => {
        for (const wake of listeners) wake();
      },
      listen: (wake) => {
        listeners.add(wake);
        return () => listeners.delete(wake);
      },
      noteFailure: (error, meaning) => logger.error({ error: messageOf(error) }, meaning),
    });
  const queue = openQueue(triggers);
  const keyValues = createEmbeddedKeyValueStore({ queue: file, journal: journalFile }, clock);
  const rechecks = createEmbeddedRechecks(file);
  const damaged = Promise.race([file.damaged, journalFile.damaged]);
  // A command watches nothing: there the call that finds the damage fails, and that is enough.
  damaged.catch(() => {});
  const parts = {
    queue,
    inbox: createEmbeddedInbox(file, triggers, queue, rechecks, keyValues),
    journal,
    keyValues,
    rechecks,
    space,
  };
  return {
    ...parts,
    fence,
    roster: createEmbeddedRoster(clock),
    sessions: createEmbeddedSessionStore(journalFile, clock),
    lead(epoch) {
      const isMine = () => fence.check(epoch);
      const led = openQueue(triggers.fencedBy(isMine));
      return {
        ...parts,
        queue: led,
        journal: journal.fencedBy(isMine),
        keyValues: keyValues.fencedBy(isMine),
        close: () => led.close(),
      };
    },
    damaged,
    async close() {
      await queue.close();
      await Promise.all([file.close(), journalFile.close()]);
      unlock();
    },
  };
}

function openFile(directory: string, schema: StateSchema, space: FileSpace): StateFile {
  return withSpace(space, () => new StateFile(directory, schema, undefined, space));
}

/** If it fails because the disk is full, it is tried again as long as there is space to give. */
function withSpace<T>(space: FileSpace, open: () => T): T {
  for (;;) {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof SyncError) || !isFull(error.cause) || !space.give()) throw error;
    }
  }
}
