import { expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { type LogParts, MissingTopic, ReplacedLog } from '../../src/decisions/log.js';
import {
  type TopicIndex,
  type TopicIndexDeps,
  updateTopicIndex,
} from '../../src/decisions/update-topic-index.js';
import { SyncError } from '../../src/errors.js';

const parts: LogParts = { cut: [], events: (async function* () {})(), position: () => 'read' };
const failure = (code: 'ERR_STATE_LOCKED' | 'ERR_DECISIONS_UNREACHABLE') =>
  new SyncError(code, 'no', { retriable: true });

const away = failure('ERR_DECISIONS_UNREACHABLE');
const locked = failure('ERR_STATE_LOCKED');

/** What one loop waited after each attempt, and how far the index was behind then. */
interface Seen {
  readonly waits: number[];
  readonly lags: Readonly<Record<string, number>>[];
}

/** Attempts one after the other, five seconds apart, each with what the topic does then, and all that happened. */
async function attempts(
  steps: readonly (Error | 'read' | 'full disk')[],
  fault: 'openIndex' | 'openLog' | 'check' | 'readParts' = 'readParts',
  seen: Seen = { waits: [], lags: [] },
  before?: string,
) {
  const stop = new AbortController();
  const events: string[] = [];
  const log = (text: string) => void events.push(text);
  let at = 0;
  let now = 60_000;
  let until = before;
  const step = (place: typeof fault) => {
    const now = steps[at];
    if (place === fault && now instanceof Error) throw now;
  };
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      seen.waits.push(ms);
      now += 5_000;
      if (++at >= steps.length) stop.abort();
    },
  };
  const index: TopicIndex = {
    position: 'before',
    get until() {
      return until;
    },
    async take(_, readAt) {
      log('take');
      until = readAt;
    },
    replaced: () => {
      log('replaced');
      at += 1;
    },
    close: async () => log('close index'),
  };
  const deps: TopicIndexDeps = {
    async openIndex() {
      step('openIndex');
      log('open index');
      return index;
    },
    async openLog() {
      step('openLog');
      return {
        check: async () => step('check'),
        async readParts() {
          step('readParts');
          return parts;
        },
        close: async () => log('close log'),
      };
    },
    isPaused: () => steps[at] === 'full disk',
    clock,
    metrics: { count: log, gauge: (name, value) => void seen.lags.push({ [name]: value }), time: () => {} },
    logger: {
      debug: () => {},
      info: (_, message) => log(message),
      warn: (_, message) => log(message),
      error: (_, message) => log(message),
    },
  };
  await updateTopicIndex(deps, stop.signal);
  return events;
}

const FAILS = 'scopemesh_trail_index_failures_total';
const SAYS_FAILS = 'the index of the topic cannot be updated; scopemesh tries again';
const CLOSE = ['close log', 'close index'];

it('keeps the log and the index open between reads, and closes both at the end', async () => {
  expect(await attempts(['read', 'read'])).toEqual(['open index', 'take', 'take', ...CLOSE]);
});

it('counts each failure, opens both again, and says once that it failed and once that it works again', async () => {
  expect(await attempts([away, away, 'read'])).toEqual([
    ...['open index', ...CLOSE, FAILS, SAYS_FAILS],
    ...['open index', ...CLOSE, FAILS],
    ...['open index', 'take', 'the index of the topic is updated again', ...CLOSE],
  ]);
});

it.each(['openLog', 'check'] as const)('closes the index, which locks it, if %s fails', async (at) => {
  const events = await attempts([failure('ERR_DECISIONS_UNREACHABLE'), 'read'], at);
  const failed = at === 'check' ? CLOSE : ['close index'];
  expect(events.slice(0, failed.length + 1)).toEqual(['open index', ...failed]);
  expect(events).toContain('take');
});

it('takes it for no failure that the topic is missing or that another process keeps the index', async () => {
  const missing = new MissingTopic('ERR_DECISIONS_UNREACHABLE', 'no', { retriable: true });
  expect(await attempts([missing], 'check')).toEqual(['open index', ...CLOSE]);
  expect(await attempts([locked, locked], 'openIndex')).toEqual([
    'another process on this state directory keeps the index of the topic',
  ]);
});

it('reads a topic that was replaced again at once', async () => {
  const replaced = new ReplacedLog('ERR_DECISIONS_UNREACHABLE', 'no', { retriable: true });
  expect(await attempts([replaced, 'read'])).toEqual(['open index', 'replaced', 'take', ...CLOSE]);
});

it('writes nothing while the disk has little space', async () => {
  expect(await attempts(['full disk', 'full disk'])).toEqual([
    'the index of the topic waits until its disk has space again',
  ]);
});

it.each([
  ['a read', 'read', 'readParts'],
  ['a full disk', 'full disk', 'readParts'],
  ['a topic that is missing', new MissingTopic('ERR_INTERNAL', 'no', { retriable: true }), 'check'],
  ['an index of another process', locked, 'openIndex'],
] as const)('waits two seconds after %s, and less after a failure', async (_, step, fault) => {
  const seen: Seen = { waits: [], lags: [] };
  await attempts([step], fault, seen);
  expect(seen.waits[0]).toBeGreaterThanOrEqual(1_800);
  await attempts([away], fault, seen);
  expect(seen.waits[1]).toBeLessThanOrEqual(1_000);
});

it.each([
  ['since an index was last complete', [away, away, 'read'], '1970-01-01T00:00:10.000Z', [50, 55, 0]],
  ['since its start, of an index that never was complete', [away, away, 'read'], undefined, [0, 5, 0]],
  ['nothing, of an index of another process', [locked, locked], undefined, [0, 0]],
] as const)('measures how far it is behind: %s', async (_, steps, before, lags) => {
  const seen: Seen = { waits: [], lags: [] };
  await attempts(steps, steps.includes(locked) ? 'openIndex' : 'readParts', seen, before);
  expect(seen.lags).toEqual(lags.map((lag) => ({ scopemesh_trail_index_lag_seconds: lag })));
});
