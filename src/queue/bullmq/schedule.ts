import { Queue as JobQueue } from 'bullmq';
import type { Clock } from '../../clock.js';
import { batches, type KeyPlan, type KeyStore } from './key-store.js';
import type { RedisLink } from './redis-link.js';

/** The name of BullMQ's queue; the scripts know it. */
export const JOBS = 'jobs';
/** Of BullMQ: lower numbers go first. */
const URGENT = 1;
const ORDINARY = 2;

// BullMQ notes each step of a job in a stream for listeners; there are none.
const EVENTS_KEPT = 100;

/**
 * The BullMQ jobs: one for each key that must run, with the key as its id. BullMQ ignores the making of a job
 * whose id exists, which is what keeps a key from having two; so whoever ends a job looks again whether the key
 * must run (`ensure`), because a trigger may have come between the end of the run and the end of the job.
 */
export class Schedule {
  readonly #link: RedisLink;
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #jobs: JobQueue;

  constructor(link: RedisLink, store: KeyStore, clock: Clock) {
    this.#link = link;
    this.#store = store;
    this.#clock = clock;
    this.#jobs = new JobQueue(JOBS, {
      connection: link.commands,
      prefix: link.prefix,
      // Its version question would break the queue for good if the connection broke while it is under way;
      // `check` asks it.
      skipVersionCheck: true,
      streams: { events: { maxLen: EVENTS_KEPT } },
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    });
    this.#jobs.on('error', (error) => link.outage.failed(error));
  }

  /** Makes each key that must run have its job. */
  async ensure(keys: readonly string[]): Promise<void> {
    for (const batch of batches(keys)) await this.follow(await this.#store.plan(batch));
  }

  /**
   * Makes the jobs of these plans. Where another process made a job for an earlier plan between, that one stands;
   * so what is urgent is then moved up, and as everyone who adds something urgent does so after it is stored,
   * the last of them finds the job wherever it is.
   */
  async follow(plans: readonly KeyPlan[]): Promise<void> {
    if (plans.length === 0) return;
    const now = this.#clock.now();
    await this.#link.call(() =>
      this.#jobs.addBulk(
        plans.map(({ key, urgent, dueAt }) => ({
          name: 'key',
          data: {},
          opts: {
            jobId: key,
            priority: urgent ? URGENT : ORDINARY,
            delay: Math.max(0, dueAt - now),
            // By the same clock as `dueAt`.
            timestamp: now,
          },
        })),
      ),
    );
    await this.#hurry(plans.filter((plan) => plan.urgent && plan.dueAt === 0).map((plan) => plan.key));
  }

  async #hurry(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const behind = await this.#store.behind(URGENT, keys);
    await this.#link.call(() =>
      Promise.all(
        behind.map(async ([key, isDelayed]) => {
          const job = await this.#jobs.getJob(key);
          await job?.changePriority({ priority: URGENT }).catch(ignoreIfGone);
          if (isDelayed) await job?.promote().catch(ignoreIfGone);
        }),
      ),
    );
  }

  /** What a crash left without a job. */
  async sweep(): Promise<number> {
    const orphans = await this.#store.orphans();
    await this.ensure(orphans);
    return orphans.length;
  }

  /** Ends the waits that began in the future: the clock was set back since, and they would wait for it. */
  async wakeRewound(): Promise<void> {
    const keys = await this.#store.rewound(this.#clock.now());
    await this.#link.call(() =>
      Promise.all(
        keys.map(async (key) => {
          const job = await this.#jobs.getJob(key);
          await job?.promote().catch(ignoreIfGone);
        }),
      ),
    );
  }

  async close(): Promise<void> {
    await this.#jobs.close();
  }
}

// The job ran, or someone else moved it, between the look and the move: both are what was wanted.
function ignoreIfGone(error: unknown): void {
  if (!(error instanceof Error) || !/Missing key for job|is not in the delayed state/.test(error.message)) {
    throw error;
  }
}
