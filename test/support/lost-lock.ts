import { formatKey } from '../../src/model/key.js';
import type { JobHandler } from '../../src/queue/queue.js';
import { DONE, gate, key, type Store, trigger, work } from '../conformance/store-harness.js';
import { startTcpProxy } from './tcp-proxy.js';

const LOST = key('lost');
const LATER = key('later');

/**
 * Lets one more process of a queue begin a job and die, and resolves when another one runs that job: its lock has run out.
 * In the same check for stalled jobs the lock of each job that began before was missed, unless it was renewed. The other
 * process runs such a job by `handler` before this resolves. The processes that are there already must have no place free.
 * Resolves with what ends the other one.
 */
export async function loseLock(
  port: number,
  open: (url: string) => Store,
  handler: JobHandler,
): Promise<() => Promise<void>> {
  const way = await startTcpProxy(port);
  const dying = open(`redis://127.0.0.1:${way.port}`);
  const begun = gate();
  work(
    dying.queue,
    async (_, signal) => {
      begun.open();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    },
    1,
  );
  await dying.queue.add([trigger('lost', 'lost')]);
  await begun.opened;
  await way.cut();
  const heir = open(`redis://127.0.0.1:${port}`);
  const [lostRan, laterRan, missed] = [gate(), gate(), gate()];
  const working = work(
    heir.queue,
    async (job, signal) => {
      const name = formatKey(job.key);
      if (name === LOST) lostRan.open();
      else if (name === LATER) laterRan.open();
      else {
        missed.open();
        return handler(job, signal);
      }
      return DONE;
    },
    1,
  );
  await Promise.race([lostRan.opened, missed.opened]);
  // Stalled jobs go before a new one.
  await heir.queue.add([trigger('later', 'later')]);
  await Promise.race([laterRan.opened, missed.opened]);
  return async () => {
    await working.stop();
    await Promise.all([heir.close(), dying.close()]);
  };
}
