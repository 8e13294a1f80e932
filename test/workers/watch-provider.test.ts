import { expect, it } from 'vitest';
import { NoLog } from '../../src/errors.js';
import { ChannelActivity } from '../../src/intake/channel-activity.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { watchProvider } from '../../workers/watch-provider.js';
import { createMovableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';
import { createFacts, createInbox } from '../support/worker-facts.js';

const HOUR_MS = 3_600_000;
const rechecks = { put: async () => {}, due: async () => [], move: async () => {}, count: async () => 0 };

/** What the loops of one provider do with its log, from its stored cursor on. */
function watching(cursor: string | undefined, first?: Promise<void>, failure?: Error) {
  const stop = new AbortController();
  const done: string[] = [];
  const clock = createMovableClock();
  const facts = createFacts();
  if (cursor !== undefined) facts.values.set('poll/main', cursor);
  const keyValues = {
    ...facts,
    async set(name: string, value: string) {
      if (name === 'poll/main') done.push('cursor');
      await facts.set(name, value);
    },
  };
  const deps = {
    queue: { add: async () => void done.push('complete read') },
    inbox: createInbox(keyValues),
    keyValues,
    activity: new ChannelActivity(keyValues, clock),
    rejectedEvents: { record: async () => {} },
    rechecks,
    metrics: noMetrics,
    clock,
    logger: silentLogger,
  };
  const poll = {
    provider: 'main',
    poll: async () => {
      if (failure !== undefined) throw failure;
      return { events: [], cursor: 'next', gap: false };
    },
  };
  const settings = { name: 'main', pollMs: HOUR_MS, fullReadMs: 5 * HOUR_MS, webhookSecrets: [] };
  const loops = watchProvider({ settings, poll, pause: () => undefined }, deps, stop.signal, first);
  const end = async () => {
    stop.abort();
    await Promise.all(loops);
  };
  return { done, clock, facts, end };
}

it('The complete read that a first poll needs is the one of the start', async () => {
  let begin = () => {};
  const first = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const { done, clock, end } = watching(undefined, first);
  await until('the first poll', () => done.includes('cursor'));
  begin();
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  expect(done).toEqual(['complete read', 'cursor']);
  await until('the next complete read', () => {
    clock.advance(HOUR_MS);
    return done.filter((each) => each === 'complete read').length === 2;
  });
  await end();
});

it('The start has a complete read of its own where the log goes on, or where it does not wait for the first poll', async () => {
  const goesOn = watching('stored');
  await until('both', () => goesOn.done.length === 2);
  expect(goesOn.done).toEqual(['complete read', 'cursor']);
  await goesOn.end();
  const atOnce = watching(undefined);
  await until('all', () => atOnce.done.length === 3);
  expect(atOnce.done).toEqual(['complete read', 'complete read', 'cursor']);
  await atOnce.end();
});

it('A log that is switched off is replaced by complete reads, at the poll interval and ten requests a second at most', async () => {
  const off = new NoLog('ERR_DIRECTORY_INCOMPLETE', 'the realm does not save them', { retriable: false });
  const { done, clock, facts, end } = watching('stored', Promise.resolve(), off);
  const readsIn = async (hours: number, requests: number) => {
    const before = done.length;
    for (let minute = 0; minute < hours * 60; minute += 5) {
      clock.advance(300_000);
      const known = done.length;
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      if (done.length > known) {
        const at = new Date(clock.now()).toISOString();
        facts.values.set('directory/main', JSON.stringify({ at, clients: 1, requests }));
      }
    }
    return done.length - before;
  };
  // fullRead is five hours.
  const cheap = await readsIn(20, 100);
  expect(cheap).toBeGreaterThanOrEqual(18);
  const costly = await readsIn(20, 10 * 3_600 * 4);
  expect(costly).toBeLessThanOrEqual(10);
  await end();
});
