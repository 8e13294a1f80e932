import { expect, it } from 'vitest';
import type { EventPoll } from '../../src/identity/source.js';
import { providerKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { Heard } from '../../workers/heard.js';
import { runPoll } from '../../workers/poll.js';
import { createMovableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';
import { createFacts } from './worker-facts.js';

it('The first cursor of a log is followed by a complete comparison, and no later one is', async () => {
  const clock = createMovableClock();
  const facts = createFacts();
  const queued: Trigger[] = [];
  const cursors: (string | undefined)[] = [];
  const poll: EventPoll = {
    provider: 'main',
    async poll(cursor) {
      cursors.push(cursor);
      // As where the right to read the log is granted long after the directory was read.
      if (cursors.length === 1) throw new Error('not yet');
      return { events: [], cursor: String(cursors.length), gap: false };
    },
  };
  const deps = {
    queue: { add: async (triggers: readonly Trigger[]) => void queued.push(...triggers) },
    rechecks: { put: async () => {} },
    facts,
    heard: new Heard(facts, clock),
    rejections: { record: async () => {} },
    metrics: noMetrics,
    clock,
    logger: silentLogger,
  };
  const stop = new AbortController();
  const running = runPoll(poll, { intervalMs: 30_000, hasWebhook: false }, deps, stop.signal);
  await until('three polls', () => {
    clock.advance(60_000);
    return cursors.length >= 4;
  });
  stop.abort();
  await running;
  expect(cursors.slice(0, 4)).toEqual([undefined, undefined, '2', '3']);
  expect(queued).toMatchObject([{ key: providerKey('main'), fullRead: true }]);
});
