import type { Key } from '../model/key.js';
import type { Job, Trigger } from '../model/trigger.js';
import type { JobResult } from './queue.js';

/** What follows from a run. `add` and `note` take effect in the turn of the call: no other run sees a state without them. */
export interface FollowUps {
  /** Runs these keys. A job that waits for the run waits for them too. Resolves at once. */
  add(triggers: readonly Trigger[]): Promise<void>;
  /** Adds the cause and the evidence of a change to the next run of these keys, without asking for a run. */
  note(triggers: readonly Trigger[]): void;
  /** Runs this key after a while. No job waits for that run, and other triggers of the key do not wait for it. */
  addLater(trigger: Trigger, afterMs: number): void;
  /** The triggers of this key since the run began: a run that sees a change must know its cause. */
  late(): readonly Trigger[];
  /**
   * Whether a run of this key only waits for a place, or began after this time, in milliseconds since the epoch: it sees all
   * that the state had then.
   */
  sees(key: Key, since: number): boolean;
}

export type AgendaHandler = (job: Job, signal: AbortSignal, followUps: FollowUps) => Promise<JobResult>;
