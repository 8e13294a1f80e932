import type { ChangeReason, Decision, DraftDecision, HoldReason } from '../model/decision.js';

/** A hold that was reported, so that it is reported once. */
export interface RecordedHold {
  readonly subject: string;
  readonly reason: HoldReason;
  /** Id of its `held` decision; what `approve` and `reject` name. */
  readonly decisionId: string;
  /** ISO 8601. */
  readonly since: string;
  readonly detail?: string;
  /** Changes when the hold is another one. */
  readonly fingerprint: string;
  /** Of a freeze: why the change is made after it, whatever ends it. */
  readonly changeReason?: ChangeReason;
  /** The client whose quarantine holds it. */
  readonly client?: { readonly provider: string; readonly clientId: string };
  /** Of a hold that waits for a person: what the person decides about. */
  readonly change?: HeldChange;
}

/** As the decision about the hold has it. */
export type HeldChange = Pick<Decision, 'action' | 'client' | 'scopes' | 'before' | 'after'>;

/** The record of one key. */
export interface KeyRecord {
  /** Recorded and not settled: a crash or a lost answer left them. */
  readonly pending: readonly DraftDecision[];
  /** Digest of what scopemesh last wrote, by subject; distinguishes drift from an identity provider change. */
  readonly lastApplied: ReadonlyMap<string, string>;
  readonly holds: ReadonlyMap<string, RecordedHold>;
}

/** A settled decision; the journal adds the revision. */
export type SettledDecision = Omit<Decision, 'revision'>;

/** Changes to a key's record, made in one step with the settlement; null removes. */
export interface RecordUpdate {
  readonly lastApplied?: ReadonlyMap<string, string | null>;
  readonly holds?: ReadonlyMap<string, RecordedHold | null>;
}

/**
 * Every write's decision, recorded before it and settled after it, kept with the queue. Keys are `formatKey`
 * texts. Throws SyncError ERR_QUEUE_UNREACHABLE.
 */
export interface Journal {
  /** Empty for a key without a record. */
  read(key: string): Promise<KeyRecord>;
  /**
   * The record of every key that has one, for memory at a start. Each record is of one moment, but not all of the
   * same one. Reads 100,000 keys in seconds. Repeating is harmless.
   */
  readAll(): Promise<ReadonlyMap<string, KeyRecord>>;
  /**
   * Durable before it resolves. Recording an id twice keeps one. `replaced`: ids recorded before whose write was never
   * sent; they end in the same step, without a decision.
   */
  record(key: string, drafts: readonly DraftDecision[], replaced?: readonly string[]): Promise<void>;
  /**
   * In one atomic step: takes the ids out of pending (those that were pending), numbers each decision within its
   * subject, appends them to the outbox in the given order, and updates the key's record. An id settled before
   * is skipped.
   */
  settle(key: string, decisions: readonly SettledDecision[], update?: RecordUpdate): Promise<void>;
  /** The oldest settled decisions not yet published, in order. */
  outbox(limit: number): Promise<readonly Decision[]>;
  /** Forgets published decisions. Repeating is harmless. */
  published(ids: readonly string[]): Promise<void>;
  /**
   * Keys that hold pending drafts, and recorded holds: all of them for recovery at a start, or a page for `/statusz`. The
   * store counts them, so a page costs the same however many there are.
   */
  overview(page?: HoldPage): Promise<{
    readonly pendingKeys: readonly string[];
    /** Sorted by key. */
    readonly holds: readonly (RecordedHold & { readonly key: string })[];
    /** Where the next page begins; absent on the last one. */
    readonly holdsAfter?: string;
    /** Of all holds, not only of the page. A reason without a hold is absent. */
    readonly holdCounts: Readonly<Record<string, number>>;
    readonly outboxLength: number;
  }>;
}

export interface HoldPage {
  readonly limit: number;
  /** `holdsAfter` of the page before. */
  readonly after?: string;
}
