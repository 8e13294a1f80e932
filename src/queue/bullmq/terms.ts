import { Queue as JobQueue } from 'bullmq';
import type { RedisLink } from './redis-link.js';

/*
 * Each term has a queue of BullMQ of its own: no job of an earlier leader, running or stalled, keeps a key of this term
 * waiting.
 *   P:terms  zset    epochs that are over, by themselves. Raising the epoch adds the one before it.
 */
export const TERMS = ':terms';

/** The queue of a process without a term. */
export const JOBS = 'jobs';

// A leader that was stopped for long may add to its queue after it was deleted. Deleting an empty queue takes two short
// steps, so the queues of so many earlier terms are deleted again at each new one.
const TERMS_KEPT = 100;
// Redis answers nothing else while BullMQ deletes this many jobs.
const JOBS_IN_ONE_STEP = 200;

export function queueName(epoch: number | undefined): string {
  return epoch === undefined ? JOBS : `${JOBS}-${epoch}`;
}

/** A queue to look at or to delete: opening it writes nothing. */
function openQueue({ commands, prefix }: RedisLink, name: string): JobQueue {
  const queue = new JobQueue(name, {
    connection: commands,
    prefix,
    skipVersionCheck: true,
    skipMetasUpdate: true,
  });
  // The call that meets the error throws it too.
  queue.on('error', () => {});
  return queue;
}

/**
 * Deletes the queues of the terms before this one. A queue that cannot be deleted keeps no other one. Throws what the first
 * of them met; repeat it then.
 */
export async function deleteEarlierQueues(link: RedisLink, epoch: number): Promise<void> {
  const terms = `${link.prefix}${TERMS}`;
  const earlier = await link.call((redis) => redis.zrangebyscore(terms, '-inf', `(${epoch}`));
  const failures: unknown[] = [];
  for (const name of [JOBS, ...earlier.map((each) => queueName(Number(each)))])
    await deleteQueue(link, name).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
  const forgotten = earlier.slice(0, -TERMS_KEPT);
  if (forgotten.length > 0) await link.call((redis) => redis.zrem(terms, ...forgotten));
}

async function deleteQueue(link: RedisLink, name: string): Promise<void> {
  const queue = openQueue(link, name);
  try {
    const jobs = await link.call(() => queue.getJobCountByTypes());
    const obliterate = () => queue.obliterate({ force: true, count: JOBS_IN_ONE_STEP });
    // The first step pauses the queue, which needs memory. A full Redis gets more back from the jobs. If it stays full, the
    // rest is for the journal. An empty queue is small, and the next term tries again.
    if (jobs > 0) await link.call(obliterate, 'events');
    else await link.call(obliterate, 'none').catch(() => {});
  } finally {
    await queue.close();
  }
}
