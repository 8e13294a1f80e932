import { afterEach, expect, it } from 'vitest';
import type { EventPoll, PollResult } from '../../src/identity/source.js';
import { ChannelActivity } from '../../src/intake/channel-activity.js';
import { type PollOptions, runPoll } from '../../src/intake/poll.js';
import { providerKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createMovableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';
import { createFacts, createInbox } from '../support/worker-facts.js';

const MINUTE = 60_000;
let stop: AbortController;
let running: Promise<void> = Promise.resolve();
afterEach(async () => {
  stop.abort();
  await running;
});

/** What polls lead to, of which each says what `say` says. */
function polling(say: (times: number) => Partial<PollResult>, options: Partial<PollOptions> = {}) {
  stop = new AbortController();
  const clock = createMovableClock();
  const keyValues = createFacts();
  const activity = new ChannelActivity(keyValues, clock);
  const queued: Trigger[] = [];
  const gaps: (string | undefined)[] = [];
  const cursors: (string | undefined)[] = [];
  const poll: EventPoll = {
    provider: 'main',
    async poll(cursor) {
      cursors.push(cursor);
      return { events: [], cursor: String(cursors.length), gap: false, ...say(cursors.length) };
    },
  };
  const deps = {
    queue: { add: async (triggers: readonly Trigger[]) => void queued.push(...triggers) },
    inbox: createInbox(keyValues, (triggers) => queued.push(...triggers)),
    keyValues,
    activity,
    rejectedEvents: { record: async () => {} },
    metrics: {
      ...noMetrics,
      count(name: string, labels?: Readonly<Record<string, string>>) {
        if (name === 'scopemesh_event_gaps_total') gaps.push(labels?.reason);
      },
    },
    clock,
    logger: silentLogger,
  };
  const start = () => {
    running = runPoll(poll, { intervalMs: 30_000, ...options }, deps, stop.signal);
  };
  const polled = (times: number) =>
    until(`${times} polls`, () => {
      clock.advance(MINUTE);
      return cursors.length >= times;
    });
  return { clock, activity, queued, gaps, cursors, start, polled };
}

const everything = { key: providerKey('main'), fullRead: true };

it('Only the first cursor of a log leads to a complete comparison', async () => {
  const { cursors, queued, start, polled } = polling((times) => {
    // As where the right to read the log is granted long after the directory was read.
    if (times === 1) throw new Error('not yet');
    return {};
  });
  start();
  await polled(4);
  expect(cursors.slice(0, 4)).toEqual([undefined, undefined, '2', '3']);
  expect(queued).toMatchObject([everything]);
});

it('A log that may have lost events leads to a complete comparison, before its cursor is stored', async () => {
  const { queued, gaps, start, polled } = polling((times) => ({ gap: times === 3 }));
  start();
  await polled(3);
  await until('the comparison', () => queued.length === 2);
  await polled(5);
  expect(queued).toMatchObject([everything, everything]);
  expect(gaps).toEqual(['log']);
});

it('A pushed channel that falls silent leads to a complete comparison', async () => {
  const { clock, activity, queued, gaps, cursors, start } = polling(() => ({}), {
    otherChannels: ['signals'],
  });
  for (let at = 0; at < 12; at++) {
    clock.advance(5 * MINUTE);
    void activity.note('main', 'signals', [{ id: `event-${at}`, triggers: [], orders: [] }]);
    await new Promise(setImmediate);
  }
  start();
  await until('a poll', () => cursors.length === 1);
  expect(gaps).toEqual([]);
  clock.advance(15 * MINUTE);
  await until('the comparison', () => gaps.length > 0);
  expect(gaps).toEqual(['silence']);
  expect(queued).toMatchObject([everything, everything]);
});
