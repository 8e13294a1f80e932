import { writeSync } from 'node:fs';
import { systemClock } from '../../src/clock.js';
import { formatKey } from '../../src/model/key.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { draft, settled } from './journal.js';
import { DONE, type Store, trigger, work } from './store-harness.js';

// Run as a process of its own, which adds, runs and settles as fast as it can and says on stdout what was
// acknowledged, until someone kills it. Arguments: `embedded DIRECTORY`, or `bullmq URL PREFIX`; then a first number.

const [, , kind, place = '', prefix = ''] = process.argv;
const first = Number(process.argv.at(-1));

// Written at once, so that nothing that was said is lost with the process.
function say(what: string, id: string): void {
  for (;;) {
    try {
      writeSync(1, `${what} ${id}\n`);
      return;
    } catch (error) {
      // The pipe is full until its reader has a moment.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

async function open(): Promise<Store> {
  const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  if (kind === 'embedded') {
    const { createEmbeddedStore } = await import('../../src/queue/embedded/store.js');
    return createEmbeddedStore({ directory: place, ...deps });
  }
  const { createBullmqStore } = await import('../../src/queue/bullmq/store.js');
  return createBullmqStore({ url: place, prefix, allowUnsafe: false, ...deps });
}

const store = await open();
say('open', String(process.pid));
const working = work(store.queue, async (job) => {
  const id = `${process.pid}-${job.triggers.at(-1)?.cause.eventId}`;
  const subject = formatKey(job.key);
  await store.journal.record(subject, [draft(id, subject)]);
  say('recorded', id);
  await store.journal.settle(subject, [settled(id, subject)]);
  say('settled', id);
  for (const each of job.triggers) say('ran', each.cause.eventId ?? '');
  return DONE;
});

let next = first;
const adding = Array.from({ length: 8 }, async () => {
  for (;;) {
    const id = String(next++);
    await store.queue.add([trigger(`k${Number(id) % 40}`, id, { urgent: Number(id) % 5 === 0 })]);
    say('acknowledged', id);
  }
});
await Promise.all(adding);
await working.stop();
