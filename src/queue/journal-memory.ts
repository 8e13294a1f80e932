import type { Journal, KeyRecord } from './journal.js';

const EMPTY: KeyRecord = { pending: [], lastApplied: new Map(), holds: new Map() };

/**
 * The journal of the only process that reconciles. The record of each key stays in memory after a read or a write, so
 * that a job costs no read. After a failed write the record is read again.
 */
export function createJournalMemory(journal: Journal): Journal {
  const records = new Map<string, KeyRecord>();
  /** Keys with a failed write: it is unknown what the store has of them. */
  const doubtful = new Set<string>();
  let isComplete = false;

  const certainly = async (key: string, write: () => Promise<void>) => {
    try {
      await write();
    } catch (error) {
      doubtful.add(key);
      throw error;
    }
  };
  /** An unknown record stays unknown until the next read. */
  const change = (key: string, next: (record: KeyRecord) => KeyRecord) => {
    const known = records.get(key) ?? (isComplete ? EMPTY : undefined);
    if (known === undefined || doubtful.has(key)) return;
    const record = next(known);
    const isEmpty = record.pending.length + record.lastApplied.size + record.holds.size === 0;
    if (isEmpty && isComplete) records.delete(key);
    else records.set(key, record);
  };

  return {
    async readAll() {
      if (isComplete) return records;
      for (const [key, record] of await journal.readAll()) if (!records.has(key)) records.set(key, record);
      isComplete = true;
      return records;
    },

    async read(key) {
      const known = records.get(key);
      if (known !== undefined && !doubtful.has(key)) return known;
      if (isComplete && !doubtful.has(key)) return EMPTY;
      const record = await journal.read(key);
      doubtful.delete(key);
      records.set(key, record);
      return record;
    },

    async record(key, drafts, replaced = []) {
      await certainly(key, () => journal.record(key, drafts, replaced));
      change(key, (record) => {
        const gone = new Set([...replaced, ...drafts.map(({ id }) => id)]);
        return { ...record, pending: [...record.pending.filter(({ id }) => !gone.has(id)), ...drafts] };
      });
    },

    async settle(key, decisions, update) {
      await certainly(key, () => journal.settle(key, decisions, update));
      change(key, ({ pending, lastApplied, holds }) => {
        const settled = new Set(decisions.map(({ id }) => id));
        return {
          pending: pending.length === 0 ? pending : pending.filter(({ id }) => !settled.has(id)),
          lastApplied: changed(lastApplied, update?.lastApplied),
          holds: changed(holds, update?.holds),
        };
      });
    },

    outbox: (limit) => journal.outbox(limit),
    published: (ids) => journal.published(ids),
    overview: (page) => journal.overview(page),
  };
}

/** The same object where nothing changes. */
function changed<T>(
  known: ReadonlyMap<string, T>,
  update: ReadonlyMap<string, T | null> | undefined,
): ReadonlyMap<string, T> {
  if (update === undefined || update.size === 0) return known;
  const next = new Map(known);
  for (const [subject, value] of update)
    if (value === null) next.delete(subject);
    else next.set(subject, value);
  return next;
}
