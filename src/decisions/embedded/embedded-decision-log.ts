import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../clock.js';
import { invalidEvent, messageOf } from '../../errors.js';
import { firstOf } from '../../linked-signal.js';
import type { ChainLink, Decision } from '../../model/decision.js';
import { fieldOf } from '../../model/field-of.js';
import { createNotifier } from '../../notifier.js';
import type { Logger } from '../../observe.js';
import { linkOf, toStoredText } from '../chain.js';
import { checkpointSubject, type StoredCheckpoint, toCheckpointEvent } from '../checkpoint.js';
import { parseJson } from '../envelope.js';
import {
  closedLog,
  type DecisionLog,
  type LogParts,
  type PlacedEvent,
  type ReadOptions,
  readDecisions,
} from '../log.js';
import { DecisionFile } from './decision-file.js';

interface EmbeddedDecisionLogOptions {
  /** Where `decisions.db` lies; created if it is missing. */
  readonly directory: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long a decision is kept; without it, forever. */
  readonly keepMs?: number;
}

const PAGE = 500;
/** How often a follower looks for what another process appended. */
const POLL_MS = 100;

/**
 * The decision log in one SQLite file, for an installation without Kafka. One daemon appends, and any number of processes
 * read at the same time. The file is opened at first use. A decision that is appended again is stored once.
 */
export function createEmbeddedDecisionLog(options: EmbeddedDecisionLogOptions): DecisionLog {
  return new EmbeddedDecisionLog(options);
}

class EmbeddedDecisionLog implements DecisionLog {
  readonly #options: EmbeddedDecisionLogOptions;
  readonly #closing = new AbortController();
  #file: DecisionFile | undefined;
  /** Wakes followers of this process, so that they need not poll for what it appends. */
  readonly #appended = createNotifier();

  constructor(options: EmbeddedDecisionLogOptions) {
    this.#options = options;
  }

  async check(): Promise<void> {
    await this.#open().append([]);
  }

  async position(): Promise<string> {
    return String(this.#open().last());
  }

  async append(decisions: readonly Decision[]): Promise<void> {
    await this.#append(
      decisions.map((decision) => ({
        id: decision.id,
        time: decision.time,
        subject: decision.subject,
        event: toStoredText(decision),
      })),
    );
    await this.#deleteOld();
  }

  async lastLink(): Promise<ChainLink | undefined> {
    const event = this.#open().lastDecision();
    return event === undefined ? undefined : linkOf(parseJson(event));
  }

  async appendCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    const { id, time, log } = checkpoint;
    const event = JSON.stringify(toCheckpointEvent(checkpoint));
    await this.#append([{ id, time, subject: checkpointSubject(log), event }]);
  }

  async contains(ids: readonly string[], since: string): Promise<ReadonlySet<string>> {
    const after = Number.parseInt(since, 10) || 0;
    const file = this.#open();
    return new Set(ids.filter((id) => (file.find(id) ?? 0) > after));
  }

  read(options: ReadOptions, signal: AbortSignal): AsyncIterable<Decision> {
    return readDecisions(this, options, signal, this.#options.logger);
  }

  async *readEvents(options: ReadOptions, signal: AbortSignal): AsyncIterable<string> {
    const file = this.#open();
    // Somebody else may have put a row before the first number that this log gives.
    const start = options.from === 'end' ? file.last() : Number.NEGATIVE_INFINITY;
    const after = options.after === undefined ? start : place(file, options.after);
    for await (const { event } of this.#rows(file, after, options.follow, signal)) yield event;
  }

  /** A position is the ID of the event before it, which a deletion or another file does not have; or a number, by `position`. */
  async *readFrom(position: string, signal: AbortSignal): AsyncIterable<PlacedEvent> {
    const file = this.#open();
    const known = /^\d{1,16}$/.test(position) ? Number(position) : file.find(position);
    const isKnown = known !== undefined && known <= file.last();
    let isFirstAfterGap = !isKnown;
    for await (const { seq, event, isAfterGap } of this.#rows(file, isKnown ? known : 0, true, signal)) {
      const placed = { event, position: idIn(event) ?? String(seq) };
      yield isAfterGap || isFirstAfterGap ? { ...placed, isAfterGap: true } : placed;
      isFirstAfterGap = false;
    }
  }

  async *#rows(
    file: DecisionFile,
    from: number,
    follow: boolean,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly seq: number; readonly event: string; readonly isAfterGap: boolean }> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    const newest = file.last();
    let after = from;
    while (!stop.aborted) {
      const page = file.page(after, PAGE);
      for (const { seq, event } of page) {
        if (stop.aborted || (!follow && seq > newest)) return;
        // A number may be missing, but not because of a deletion: those are at the beginning.
        const isAfterGap = seq > after + 1 && seq === file.first();
        after = seq;
        yield { seq, event, isAfterGap };
      }
      if (page.length > 0) {
        // Pages are read at once, and a fast consumer never waits: others get their turn here.
        await setImmediate();
        continue;
      }
      if (!follow) return;
      await this.#more(stop);
    }
  }

  async readParts(signal: AbortSignal): Promise<LogParts> {
    const read = this.readEvents({ from: 'start', follow: false }, signal);
    const end = String(this.#open().last());
    async function* only(): LogParts['events'] {
      for await (const event of read) yield { part: '0', event };
    }
    return { cut: [], events: only(), position: () => end };
  }

  async #append(events: Parameters<DecisionFile['append']>[0]): Promise<void> {
    await this.#open().append(events);
    this.#appended.notify();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** A failure is logged: the decisions of the append are on disk. */
  async #deleteOld(): Promise<void> {
    const { clock, keepMs, logger } = this.#options;
    const now = clock.now();
    if (keepMs === undefined) return;
    const before = new Date(now - keepMs).toISOString();
    try {
      const deleted = await this.#open().deleteOld(now, before);
      if (deleted > 0) logger.info({ deleted, before }, 'decisions older than decisions.keep are deleted');
    } catch (error) {
      logger.warn(
        { before, error: messageOf(error) },
        'old decisions could not be deleted; scopemesh tries again',
      );
    }
  }

  #open(): DecisionFile {
    if (this.#closing.signal.aborted) throw closedLog();
    if (this.#file === undefined) {
      this.#file = new DecisionFile(this.#options.directory);
      this.#options.logger.debug({ directory: this.#options.directory }, 'decision log opened');
    }
    return this.#file;
  }

  /** Resolves when there may be more, or the signal is aborted. */
  #more(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return firstOf(signal, (either) => [clock.sleep(POLL_MS, either), this.#appended.wait(either)]).catch(
      () => {},
    );
  }
}

/** Undefined for an event that somebody else changed: it must not stop a reader. */
function idIn(event: string): string | undefined {
  try {
    const id = fieldOf(parseJson(event), 'id');
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}

function place(file: DecisionFile, id: string): number {
  const at = file.find(id);
  if (at !== undefined) return at;
  throw invalidEvent(`The decision log has no event ${id}.`);
}
