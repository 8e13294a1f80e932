import type { StoredCheckpoint } from '../../src/decisions/checkpoint.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import type { DecisionLog, LogParts, PlacedEvent } from '../../src/decisions/log.js';
import type { Decision } from '../../src/model/decision.js';

/** A log in memory that can be made to fail, for tests of what writes to it. */
export class MemoryDecisionLog implements DecisionLog {
  readonly held: Decision[] = [];
  readonly checkpoints: StoredCheckpoint[] = [];
  readonly asked: (readonly string[])[] = [];
  /** Called with each batch; what it throws, `append` throws, after having kept the batch or not. */
  onAppend: (batch: readonly Decision[], keep: () => void) => void | Promise<void> = (_, keep) => keep();
  onContains: () => void = () => {};
  /** Called for each check; what it throws, `check` throws. */
  onCheck: () => void = () => {};

  async check(): Promise<void> {
    this.onCheck();
  }

  async position(): Promise<string> {
    return String(this.held.length);
  }

  async append(decisions: readonly Decision[]): Promise<void> {
    let isKept = false;
    const keep = () => {
      if (!isKept) this.held.push(...decisions);
      isKept = true;
    };
    await this.onAppend(decisions, keep);
  }

  async contains(ids: readonly string[], since: string): Promise<ReadonlySet<string>> {
    this.onContains();
    this.asked.push(ids);
    const behind = new Set(this.held.slice(Number(since)).map((decision) => decision.id));
    return new Set(ids.filter((id) => behind.has(id)));
  }

  async lastLink(): Promise<'unknown'> {
    return 'unknown';
  }

  async appendCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    this.checkpoints.push(checkpoint);
  }

  async *read(): AsyncIterable<Decision> {
    yield* this.held;
  }

  async *readEvents(): AsyncIterable<string> {
    for (const each of this.held) yield JSON.stringify(toCloudEvent(each));
  }

  async *readFrom(position: string): AsyncIterable<PlacedEvent> {
    for (const [at, each] of [...this.held.entries()].slice(Number(position)))
      yield { event: JSON.stringify(toCloudEvent(each)), position: `${at + 1}` };
  }

  async readParts(): Promise<LogParts> {
    throw new Error('a log in memory has no parts');
  }

  async close(): Promise<void> {}
}
