import { leaseLost } from '../../errors.js';
import { type Leader, parseLeader } from '../../model/leader.js';
import type { Fence } from '../fence.js';
import type { StateFile } from './state-file.js';

const NAME = 'lease';

/**
 * The epoch of a state directory, among the facts of `journal.db`. The lock of the directory keeps every other process
 * away, so the epoch in memory is the one on disk, and the leader before this process is dead. The writes of every file
 * are checked against the epoch in memory.
 */
export class EmbeddedFence implements Fence {
  readonly lifeMs = Number.POSITIVE_INFINITY;
  readonly #file: StateFile;
  #leader: Leader | undefined;
  #isAlive = false;

  constructor(file: StateFile) {
    this.#file = file;
    this.#leader = file.read(() =>
      parseLeader(file.sql('SELECT value FROM facts WHERE name = ?').first(NAME)?.text('value')),
    );
  }

  /** Throws ERR_LEASE_LOST unless the epoch is the store's. Call it inside the write that it guards. */
  check(epoch: number): void {
    if (this.#leader?.epoch !== epoch) throw leaseLost();
  }

  async raise(
    leader: Omit<Leader, 'epoch'>,
    { above, over }: { readonly above: number; readonly over: 'any' | 'dead' },
  ): Promise<number | undefined> {
    if (over === 'dead' && this.#isAlive) return undefined;
    const epoch = Math.max(this.#leader?.epoch ?? 0, above) + 1;
    const next = { ...leader, epoch };
    await this.#file.write(() => {
      this.#file
        .sql('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)')
        .run(NAME, JSON.stringify(next));
      // With the write: what any file writes after it is refused already.
      this.#leader = next;
    });
    this.#isAlive = true;
    return epoch;
  }

  async beat(epoch: number): Promise<boolean> {
    return this.#leader?.epoch === epoch;
  }

  async rest(epoch: number): Promise<void> {
    if (this.#leader?.epoch === epoch) this.#isAlive = false;
  }

  async read(): ReturnType<Fence['read']> {
    return this.#leader && { leader: this.#leader, isAlive: this.#isAlive, pulses: [] };
  }

  /** Every release locks the directory. */
  async isBypassed(): Promise<boolean> {
    return false;
  }
}
