import { type Job, Queue as JobQueue } from 'bullmq';
import type { Clock } from '../../clock.js';
import { createJobRequests, type JobRequests } from './job-requests.js';
import { batches, type KeyPlan, type KeyStore } from './key-store.js';
import type { RedisLink } from './redis-link.js';
import { deleteEarlierQueues, queueName } from './terms.js';

/** Of BullMQ: lower numbers go first. */
const URGENT = 1;
const ORDINARY = 2;

// BullMQ notes each step of a job in a stream for listeners; there are none.
const EVENTS_KEPT = 100;
// How many of the longest waits are looked at for a clock that was set back.
const WAITS_CHECKED = 200;

/** Why a job is requested: an urgent or an ordinary trigger was stored, or the job before it ended. */
export type RequestKind = 'urgent' | 'ordinary' | 'finished';

/**
 * The BullMQ jobs: one for each key that must run, with the key as its ID. BullMQ ignores a new job whose ID exists, so
 * that a key never has two. A trigger may come between the end of a run and the end of its job. Therefore the end of
 * every job calls `request`, which checks again whether the key must run.
 */
export class Schedule {
  readonly name: string;
  readonly #epoch: number | undefined;
  #forgotten: Promise<void> | undefined;
  readonly #link: RedisLink;
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #jobs: JobQueue;
  // Apart, so that an urgent key does not wait while thousands of others get their jobs.
  readonly #requests: Readonly<Record<RequestKind, JobRequests>>;

  /** `epoch`: of the term that runs the jobs. */
  constructor(link: RedisLink, store: KeyStore, clock: Clock, epoch?: number) {
    this.name = queueName(epoch);
    this.#epoch = epoch;
    this.#link = link;
    this.#store = store;
    this.#clock = clock;
    this.#jobs = new JobQueue(this.name, {
      connection: link.commands,
      prefix: link.prefix,
      // Its version question would break the queue for good if the connection broke while it is under way;
      // `check` asks it.
      skipVersionCheck: true,
      streams: { events: { maxLen: EVENTS_KEPT } },
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    });
    this.#jobs.on('error', (error) => this.#failed(error));
    const requests = (make: (keys: readonly string[]) => Promise<void>) =>
      createJobRequests(make, (error) => this.#failed(error));
    this.#requests = {
      // Nothing has to be read: an urgent trigger ends its key's wait. A job that finds nothing to do is harmless.
      urgent: requests((keys) => this.#follow(keys.map((key) => ({ key, urgent: true, dueAt: 0 })))),
      ordinary: requests((keys) => this.ensure(keys)),
      finished: requests((keys) => this.ensure(keys)),
    };
  }

  /** Creates the key's job soon if it must run. The sweep repairs a failure. */
  request(key: string, kind: RequestKind): void {
    this.#requests[kind].add(key);
  }

  /** Resolves once every requested key has its job, or is left to the sweep. */
  async idle(): Promise<void> {
    await Promise.all(Object.values(this.#requests).map((requests) => requests.idle()));
  }

  /** Creates the missing job of each key that must run. */
  async ensure(keys: readonly string[]): Promise<void> {
    for (const batch of batches(keys)) await this.#follow(await this.#store.plan(batch));
  }

  #failed(error: unknown): void {
    this.#link.noteFailure(error, 'jobs left to the sweep');
  }

  /**
   * Creates the jobs of these plans. A job that another process created for an earlier plan stays, so the urgent ones are
   * then moved up. Every process that adds an urgent trigger does this after it is stored, so the last of them finds the
   * job wherever it is.
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

  /** Creates the jobs and moves up the urgent ones that a crash or a failure left. Resolves with how many it created. */
  async sweep(): Promise<number> {
    const [dirty, fresh] = await Promise.all([this.#store.dirty(), this.#store.fresh()]);
    if (dirty.length === 0) return 0;
    const ids = await this.#link.call(() =>
      this.#jobs.getRanges(['active', 'delayed', 'prioritized', 'waiting'], 0, -1),
    );
    // This process is about to make the jobs that were requested.
    const requested = Object.values(this.#requests).flatMap((requests) => requests.keys());
    const scheduled = new Set([...ids, ...requested]);
    const orphans = dirty.filter((key) => !scheduled.has(key));
    await this.ensure(orphans);
    const handled = new Set([...requested, ...orphans]);
    for (const batch of batches(fresh.filter((key) => !handled.has(key)))) await this.#hurry(batch);
    return orphans.length;
  }

  /** Ends the waits that began in the future: the clock was set back since. */
  async wakeRewound(): Promise<void> {
    const now = this.#clock.now();
    await this.#link.call(async () => {
      // Those that began in the future are due the latest.
      const latest: Job[] = await this.#jobs.getJobs(['delayed'], 0, WAITS_CHECKED - 1);
      const rewound = latest.filter((job) => job.timestamp > now);
      await Promise.all(rewound.map((job) => job.promote().catch(ignoreIfGone)));
    });
  }

  /** Deletes the queues of earlier terms, once. A late leader may add to one of them; the next term deletes that. */
  forgetEarlier(): Promise<void> {
    if (this.#epoch === undefined) return Promise.resolve();
    this.#forgotten ??= deleteEarlierQueues(this.#link, this.#epoch).catch((error: unknown) => {
      this.#forgotten = undefined;
      throw error;
    });
    return this.#forgotten;
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

// Between the look and the move the job ran, or another process moved it. Both are the wanted result.
function ignoreIfGone(error: unknown): void {
  if (!(error instanceof Error) || !/Missing key for job|is not in the delayed state/.test(error.message)) {
    throw error;
  }
}
