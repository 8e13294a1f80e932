import type { Job, Trigger } from '../model/trigger.js';
import type { DelayedRun } from './agenda-entry.js';
import { triggerText } from './merge-triggers.js';
import type { JobResult } from './queue.js';

const RUN_AGAIN: JobResult = { kind: 'retry', afterMs: 0 };

/** A job of the durable queue, from its start until everything that follows from it is done. */
export interface DurableJob {
  /** `triggerText` of its triggers. */
  readonly known: ReadonlySet<string>;
  /** Resolves with `retry` as soon as the durable queue has triggers of the key that the job does not know. */
  readonly outdated: Promise<JobResult>;
}

interface Held extends DurableJob {
  readonly outdate: () => void;
}

/** The jobs of the durable queue that are under way, and what the others wait for. */
export class DurableJobs {
  readonly #held = new Map<string, Held>();
  /** By key: a job that came to nothing but for the run of another key, which is delayed. */
  readonly #blocked = new Map<string, { readonly known: ReadonlySet<string>; readonly by: string }>();

  get size(): number {
    return this.#held.size;
  }

  begin(key: string, { triggers }: Job): DurableJob {
    let outdate = () => {};
    const outdated = new Promise<JobResult>((resolve) => {
      outdate = () => resolve(RUN_AGAIN);
    });
    const job = { known: new Set(triggers.map(triggerText)), outdated, outdate };
    this.#held.set(key, job);
    return job;
  }

  end(key: string): void {
    this.#held.delete(key);
  }

  has(key: string): boolean {
    return this.#held.has(key);
  }

  knows(key: string, trigger: Trigger): boolean {
    return this.#held.get(key)?.known.has(triggerText(trigger)) === true;
  }

  /** The durable queue has new triggers of the key. */
  outdate(key: string): void {
    this.#held.get(key)?.outdate();
  }

  block(key: string, { known }: DurableJob, { by }: DelayedRun): void {
    if (by !== key) this.#blocked.set(key, { known, by });
  }

  /** The key whose run the job waited for the last time, if it has the same triggers now. Asked once. */
  takeBlocker(key: string, { known }: DurableJob): string | undefined {
    const blocked = this.#blocked.get(key);
    this.#blocked.delete(key);
    return [...known].every((each) => blocked?.known.has(each)) ? blocked?.by : undefined;
  }
}
