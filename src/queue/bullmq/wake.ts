import { Queue as JobQueue, Worker } from 'bullmq';
import type { Clock } from '../../clock.js';
import { Outage } from '../../repeat.js';
import type { RedisLink } from './redis-link.js';

const NAME = 'wake';
/** The ID of the only job: BullMQ ignores another one with this ID until the first has ended. */
const JOB = 'arrived';
/** With the check for stalled jobs this bounds for how long the job of a process that was killed stands in the way. */
const LOCK_MS = 2_000;
const RETRY_MS = 5_000;
// BullMQ notes each step of a job in a stream for listeners; there are none.
const EVENTS_KEPT = 10;

/**
 * Says that triggers were stored, from processes that run no jobs to the one that does: a job of BullMQ without data. What
 * it does not say the queue finds some seconds later.
 */
export interface Wake {
  /** Never rejects. */
  tell(): Promise<void>;
  /** Calls back until the returned function is called. */
  listen(hear: () => void): () => void;
}

export function createWake(link: RedisLink, clock: Clock): Wake {
  const outage = new Outage();
  const failed = (error: unknown) => {
    if (outage.begins(clock.now()))
      link.noteFailure(error, 'events at other replicas are found some seconds later');
  };
  const jobs = new JobQueue(NAME, {
    connection: link.commands,
    prefix: link.prefix,
    // Its version question would break the queue for good if the connection broke while it is under way.
    skipVersionCheck: true,
    streams: { events: { maxLen: EVENTS_KEPT } },
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
  jobs.on('error', failed);
  return {
    async tell() {
      // It is not worth the reserve of memory.
      await link
        .call(() => jobs.add(JOB, {}, { jobId: JOB }), 'none')
        .then(() => outage.ends(clock.now()), failed);
    },

    listen(hear) {
      const connection = link.openWorkerConnection();
      const heard = () => {
        outage.ends(clock.now());
        hear();
      };
      const worker = new Worker(NAME, async () => heard(), {
        connection,
        prefix: link.prefix,
        lockDuration: LOCK_MS,
        stalledInterval: LOCK_MS,
        runRetryDelay: RETRY_MS,
        skipVersionCheck: true,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      });
      // What was stored while the job was there made no other one.
      worker.on('completed', heard);
      let isOver = false;
      worker.on('error', (error) => {
        if (!isOver) failed(error);
      });
      return () => {
        isOver = true;
        // Nothing is left to do for it, and Redis may be away.
        void worker.close(true).catch(() => {});
        connection.disconnectAll();
      };
    },
  };
}
