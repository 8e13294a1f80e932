import { isOwnedBy } from './envelope.js';
import type { TrailRecord } from './trail-record.js';

interface TopicLog {
  last: { readonly sequence: number; readonly time: string };
  /** The number of its first decision that the index still keeps. */
  firstKept?: number;
}

/** What an hour may change while somebody looks: the index deletes old decisions, and new ones are on the way. */
export const HOUR_MS = 3_600_000;

/** What the topic has of an owner, to compare its index with. */
export class TopicContent {
  readonly #owner: string;
  /** The index keeps what is newer (ISO 8601). */
  readonly cutoff: string;
  /** In the order of the chain. */
  readonly logs = new Map<string, TopicLog>();

  constructor(owner: string, now: number, keepMs: number) {
    this.#owner = owner;
    this.cutoff = new Date(now - keepMs + HOUR_MS).toISOString();
  }

  /** Verified ones, in the order of the chain. */
  add(record: TrailRecord): void {
    if (record.kind !== 'decision' || !isOwnedBy(this.#owner, record.source)) return;
    const { link, time } = record;
    const last = { sequence: link.sequence, time };
    const log: TopicLog = this.logs.get(link.log) ?? { last };
    log.last = last;
    if (time > this.cutoff) log.firstKept ??= link.sequence;
    this.logs.set(link.log, log);
  }
}
