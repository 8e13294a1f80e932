import { expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { StopOrder } from '../../src/daemon/stop-order.js';
import { untilAborted } from '../../src/linked-signal.js';

/** A term whose parts note their end. `answers`: whether the relay ends when it is asked to. */
function start({ answers = true }: { readonly answers?: boolean } = {}) {
  const [stop, lost, failure] = [new AbortController(), new AbortController(), new AbortController()];
  const events: string[] = [];
  const note = (text: string) => () => void events.push(text);
  const handOver = async () => note('hand over')();
  const slept: number[] = [];
  const clock: Clock = {
    now: () => 0,
    async sleep(ms) {
      slept.push(ms);
      if (answers) await new Promise(() => {});
    },
  };
  const order = new StopOrder({ stop: stop.signal, lost: lost.signal, handOver }, clock);
  const poll = untilAborted(order.inputs).then(note('inputs'));
  const failing = untilAborted(failure.signal).then(() => Promise.reject(new Error('no')));
  const either = Promise.race([poll, failing]);
  const jobs = untilAborted(order.jobs).then(note('jobs'));
  const late = answers ? order.relay : lost.signal;
  const relay = untilAborted(late).then(note('relay'));
  const ended = order.end({ inputs: [either], jobs, relay, flush: async () => note('flush')() });
  return { stop, lost, failure, events, ended, slept };
}

it('ends the inputs, then the jobs, then the relay, and only then lets another replica lead', async () => {
  const { stop, events, ended } = start();
  stop.abort();
  await ended;
  expect(events.slice(0, 3)).toEqual(['inputs', 'jobs', 'flush']);
  expect(events.indexOf('relay')).toBeLessThan(events.indexOf('hand over'));
});

it('does not let a relay that waits for the log keep the next leader waiting, but waits for it itself', async () => {
  const { stop, lost, events, ended, slept } = start({ answers: false });
  stop.abort();
  await expect.poll(() => events).toEqual(['inputs', 'jobs', 'flush', 'hand over']);
  expect(slept).toEqual([500]);
  lost.abort();
  await ended;
  expect(events).toContain('relay');
});

it('ends all parts and rejects if one fails', async () => {
  const { failure, events, ended } = start();
  failure.abort();
  await expect(ended).rejects.toThrow('no');
  expect(events).toEqual(expect.arrayContaining(['inputs', 'jobs', 'relay', 'flush']));
  expect(events).not.toContain('hand over');
});
