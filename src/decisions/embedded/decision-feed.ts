import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import type { Clock } from '../../clock.js';
import { configError } from '../../errors.js';
import { firstOf, untilAborted } from '../../linked-signal.js';
import { fieldOf } from '../../model/field-of.js';
import { jsonIn } from '../../model/json-in.js';
import { Queries } from '../../sqlite.js';
import type { DecisionFeed, FeedEvent } from '../feed.js';
import { DecisionFile, toPlaced, unreachable } from './decision-file.js';

interface DecisionFeedOptions {
  /** Where `decisions.db` lies. */
  readonly directory: string;
  /** The index of a topic, which its follower makes. */
  readonly isIndex: boolean;
  readonly clock: Clock;
}

/** Some milliseconds. */
const PAGE = 200;
/** Newest events in memory, for the readers that are up to date. */
const KEPT = 1_000;
const KEPT_CHARACTERS = 4 * 1024 * 1024;
/** How often somebody looks for what is new, as long as a reader waits. */
const LOOK_MS = 100;

/** Throws SyncError ERR_CONFIG as long as the index does not exist. */
export async function openDecisionFeed(options: DecisionFeedOptions): Promise<DecisionFeed> {
  const { directory, isIndex } = options;
  if (isIndex && !existsSync(join(directory, 'decisions.db')))
    throw configError(`there is no index of the topic in ${directory} yet; its first read is not over`);
  // Makes a log that has no decision yet.
  if (!isIndex) await new DecisionFile(directory).close();
  return new EmbeddedDecisionFeed(options);
}

class EmbeddedDecisionFeed implements DecisionFeed {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #queries: Queries;
  /** Every event after `#keptAfter` that was read so far. */
  readonly #kept: FeedEvent[] = [];
  #characters = 0;
  #keptAfter: number;
  #look: Promise<void> | undefined;
  #waiting = 0;

  constructor({ directory, clock }: DecisionFeedOptions) {
    this.#path = join(directory, 'decisions.db');
    this.#clock = clock;
    this.#queries = this.#attempt(
      () => new Queries(new Database(this.#path, { readonly: true, timeout: 5_000 })),
    );
    this.#keptAfter = this.last();
  }

  last(): number {
    return this.#all("SELECT coalesce(max(seq), 0) AS seq, '' AS event FROM decisions")[0]?.seq ?? 0;
  }

  find(id: string): number | undefined {
    return this.#all("SELECT seq, '' AS event FROM decisions WHERE id = ?", id)[0]?.seq;
  }

  newestId(): string | undefined {
    const [newest] = this.#all(
      "SELECT seq, event FROM decisions WHERE subject NOT LIKE 'checkpoint/%' ORDER BY seq DESC LIMIT 1",
    );
    const id = newest && fieldOf(jsonIn(newest.event), 'id');
    return typeof id === 'string' ? id : undefined;
  }

  page(after: number): readonly FeedEvent[] {
    this.#readNew();
    // What was new may be too much to keep.
    if (after < this.#keptAfter) return this.#stored(after);
    const at = this.#kept.findIndex(({ seq }) => seq > after);
    return at === -1 ? [] : this.#kept.slice(at, at + PAGE);
  }

  /** One look serves all who wait, and they wake only when it found something. */
  async more(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#waiting += 1;
    this.#look ??= this.#lookForMore().finally(() => {
      this.#look = undefined;
    });
    const look = this.#look;
    await firstOf(signal, (either) => [look, untilAborted(either)]).finally(() => {
      this.#waiting -= 1;
    });
  }

  async close(): Promise<void> {
    this.#queries.close();
  }

  #newest(): number {
    return this.#kept.at(-1)?.seq ?? this.#keptAfter;
  }

  async #lookForMore(): Promise<void> {
    const before = this.#newest();
    while (this.#newest() === before) {
      await this.#clock.sleep(LOOK_MS);
      if (this.#waiting === 0) return;
      this.#readNew();
    }
  }

  #readNew(): void {
    for (const each of this.#stored(this.#newest())) {
      this.#kept.push(each);
      this.#characters += each.event.length;
    }
    while (this.#kept.length > KEPT || this.#characters > KEPT_CHARACTERS) {
      const oldest = this.#kept.shift();
      if (oldest === undefined) return;
      this.#keptAfter = oldest.seq;
      this.#characters -= oldest.event.length;
    }
  }

  #stored(after: number): readonly FeedEvent[] {
    return this.#all(`SELECT seq, event FROM decisions WHERE seq > ? ORDER BY seq LIMIT ${PAGE}`, after);
  }

  #all(sql: string, ...values: readonly (string | number)[]): readonly FeedEvent[] {
    return this.#attempt(() => this.#queries.all(sql, ...values).map(toPlaced));
  }

  #attempt<T>(operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      throw unreachable(this.#path, error);
    }
  }
}
