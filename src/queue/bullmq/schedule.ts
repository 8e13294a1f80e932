import { type Job, Queue as JobQueue } from 'bullmq';
import type { Clock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../observe.js';
import { batches, type KeyPlan, type KeyStore } from './key-store.js';
import type { RedisLink } from './redis-link.js';

/** The name of BullMQ's queue. */
export const JOBS = 'jobs';
/** Of BullMQ: lower numbers go first. */
const URGENT = 1;
const ORDINARY = 2;

// BullMQ notes each step of a job in a stream for listeners; there are none.
const EVENTS_KEPT = 100;
// How many of the longest waits are looked at for a clock that was set back.
const WAITS_CHECKED = 200;

/**
 * The BullMQ jobs: one for each key that must run, with the key as its id. BullMQ ignores the making of a job
 * whose id exists, which is what keeps a key from having two; so whoever ends a job looks again whether the key
 * must run (`request`), because a trigger may have come between the end of the run and the end of the job.
 */
export class Schedule {
  readonly #link: RedisLink;
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #jobs: JobQueue;
  readonly #requested = new Set<string>();
  readonly #requests = new Set<Promise<void>>();

  constructor(link: RedisLink, store: KeyStore, logger: Logger, clock: Clock) {
    this.#link = link;
    this.#store = store;
    this.#logger = logger;
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

  /** As `ensure`, soon and together with what else this turn requests. A failure is left to the sweep. */
  request(keys: readonly string[]): void {
    if (keys.length > 0 && this.#requested.size === 0) {
      const request = this.#ensureRequested().finally(() => this.#requests.delete(request));
      this.#requests.add(request);
    }
    for (const key of keys) this.#requested.add(key);
  }

  /** Resolves once everything that was requested so far has its job or failed. */
  async idle(): Promise<void> {
    await Promise.all([...this.#requests]);
  }

  /** Makes each key that must run have its job. */
  async ensure(keys: readonly string[]): Promise<void> {
    for (const batch of batches(keys)) await this.#follow(await this.#store.plan(batch));
  }

  async #ensureRequested(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const keys = [...this.#requested];
    this.#requested.clear();
    try {
      await this.ensure(keys);
    } catch (error) {
      if (!this.#link.isReady) this.#link.outage.failed(error);
      else this.#logger.warn({ keys: keys.length, error: messageOf(error) }, 'jobs left to the sweep');
    }
  }

  /**
   * Makes the jobs of these plans. Where another process made a job for an earlier plan between, that one stands;
   * so what is urgent is then moved up, and as everyone who adds something urgent does so after it is stored,
   * the last of them finds the job wherever it is.
   */
  async #follow(plans: readonly KeyPlan[]): Promise<void> {
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
    await this.#link.call(() =>
      Promise.all(
        keys.map(async (key) => {
          const job: Job | undefined = await this.#jobs.getJob(key);
          // A job that is urgent already keeps its place among the urgent ones.
          if (job !== undefined && job.priority !== URGENT) {
            await job.changePriority({ priority: URGENT }).catch(ignoreIfGone);
          }
          if (job !== undefined && job.delay > 0) await job.promote().catch(ignoreIfGone);
        }),
      ),
    );
  }

  /** Makes the jobs that a crash, or a failure after the append, left unmade. Gives how many. */
  async sweep(): Promise<number> {
    const dirty = await this.#store.dirty();
    if (dirty.length === 0) return 0;
    // The jobs of this process that are being made are no orphans.
    await this.idle();
    const scheduled = new Set(
      await this.#link.call(() =>
        this.#jobs.getRanges(['active', 'delayed', 'prioritized', 'waiting'], 0, -1),
      ),
    );
    const orphans = dirty.filter((key) => !scheduled.has(key));
    await this.ensure(orphans);
    return orphans.length;
  }

  /** Ends the waits that began in the future: the clock was set back since, and they would wait for it. */
  async wakeRewound(): Promise<void> {
    const now = this.#clock.now();
    await this.#link.call(async () => {
      // Those that began in the future are due the latest.
      const latest: Job[] = await this.#jobs.getJobs(['delayed'], 0, WAITS_CHECKED - 1);
      const rewound = latest.filter((job) => job.timestamp > now);
      await Promise.all(rewound.map((job) => job.promote().catch(ignoreIfGone)));
    });
  }

  async counts(): Promise<{ readonly delayed: number; readonly active: number }> {
    const { delayed = 0, active = 0 } = await this.#link.call(() =>
      this.#jobs.getJobCounts('delayed', 'active'),
    );
    return { delayed, active };
  }

  async close(): Promise<void> {
    await this.idle();
    await this.#jobs.close();
  }
}

// The job ran, or someone else moved it, between the look and the move: both are what was wanted.
function ignoreIfGone(error: unknown): void {
  if (!(error instanceof Error) || !/Missing key for job|is not in the delayed state/.test(error.message)) {
    throw error;
  }
}
