import type { Leader } from '../model/leader.js';

/**
 * The epoch of a store. The leader has raised it. Every record, take, settlement and value of a leader names the epoch of
 * its term, and the store refuses it with ERR_LEASE_LOST once the epoch is another one. Throws ERR_QUEUE_UNREACHABLE.
 */
export interface Fence {
  /** A leader without a sign of life for this long counts as dead. Infinity: only one process can use the store at all. */
  readonly lifeMs: number;
  /**
   * Makes this replica the leader of the store, in one step, and resolves with the new epoch: above every earlier one and
   * `above`. With `over: 'dead'` it is undefined, and nothing changes, while another leader gives signs of life.
   */
  raise(
    leader: Omit<Leader, 'epoch'>,
    options: { readonly above: number; readonly over: 'any' | 'dead' },
  ): Promise<number | undefined>;
  /** A sign of life. False if the epoch of the store is another one. With a new `pulse`, the store keeps it and the one before. */
  beat(epoch: number, pulse?: string): Promise<boolean>;
  /** Ends the signs of life, so that another replica may lead at once. Nothing happens if the epoch is another one. */
  rest(epoch: number): Promise<void>;
  /**
   * The last leader, whether it gave a sign of life within `lifeMs`, and the pulses, newest first. A store that one process
   * alone can use keeps none.
   */
  read(): Promise<LeaseRecord | undefined>;
}

export interface LeaseRecord {
  readonly leader: Leader;
  readonly isAlive: boolean;
  readonly pulses: readonly string[];
}
