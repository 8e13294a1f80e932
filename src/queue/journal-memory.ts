import type { DraftDecision } from '../model/decision.js';
import type { HoldPage, Journal, KeyRecord, RecordUpdate, SettledDecision } from './journal.js';

const EMPTY: KeyRecord = { pending: [], lastApplied: new Map(), holds: new Map() };

/**
 * The journal of the only process that reconciles. The record of each key stays in memory after a read or a write, so
 * that a job costs no read. After a failed write the record is read again.
 */
export class JournalMemory implements Journal {
  readonly #journal: Journal;
  readonly #records = new Map<string, KeyRecord>();
  /** Keys with a failed write: it is unknown what the store has of them. */
  readonly #doubtful = new Set<string>();
  #isComplete = false;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Reads every record in one go. Repeating is harmless. */
  async readAll(): Promise<ReadonlyMap<string, KeyRecord>> {
    if (this.#isComplete) return this.#records;
    for (const [key, record] of await this.#journal.readAll())
      if (!this.#records.has(key)) this.#records.set(key, record);
    this.#isComplete = true;
    return this.#records;
  }

  async read(key: string): Promise<KeyRecord> {
    const known = this.#records.get(key);
    if (known !== undefined && !this.#doubtful.has(key)) return known;
    if (this.#isComplete && !this.#doubtful.has(key)) return EMPTY;
    const record = await this.#journal.read(key);
    this.#doubtful.delete(key);
    this.#records.set(key, record);
    return record;
  }

  async record(
    key: string,
    drafts: readonly DraftDecision[],
    replaced: readonly string[] = [],
  ): Promise<void> {
    await this.#certainly(key, () => this.#journal.record(key, drafts, replaced));
    this.#change(key, (record) => {
      const gone = new Set([...replaced, ...drafts.map(({ id }) => id)]);
      return { ...record, pending: [...record.pending.filter(({ id }) => !gone.has(id)), ...drafts] };
    });
  }

  async settle(key: string, decisions: readonly SettledDecision[], update?: RecordUpdate): Promise<void> {
    await this.#certainly(key, () => this.#journal.settle(key, decisions, update));
    this.#change(key, ({ pending, lastApplied, holds }) => {
      const settled = new Set(decisions.map(({ id }) => id));
      return {
        pending: pending.length === 0 ? pending : pending.filter(({ id }) => !settled.has(id)),
        lastApplied: changed(lastApplied, update?.lastApplied),
        holds: changed(holds, update?.holds),
      };
    });
  }

  outbox(limit: number): ReturnType<Journal['outbox']> {
    return this.#journal.outbox(limit);
  }

  published(ids: readonly string[]): Promise<void> {
    return this.#journal.published(ids);
  }

  overview(page?: HoldPage): ReturnType<Journal['overview']> {
    return this.#journal.overview(page);
  }

  async #certainly(key: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#doubtful.add(key);
      throw error;
    }
  }

  /** An unknown record stays unknown until the next read. */
  #change(key: string, change: (record: KeyRecord) => KeyRecord): void {
    const known = this.#records.get(key) ?? (this.#isComplete ? EMPTY : undefined);
    if (known === undefined || this.#doubtful.has(key)) return;
    const next = change(known);
    const isEmpty = next.pending.length + next.lastApplied.size + next.holds.size === 0;
    if (isEmpty && this.#isComplete) this.#records.delete(key);
    else this.#records.set(key, next);
  }
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
