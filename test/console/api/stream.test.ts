import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DecisionBatch } from '../../../src/console/answers.js';
import { sendDecisions } from '../../../src/console/api/stream.js';
import { toStoredText } from '../../../src/decisions/chain.js';
import type { DecisionFeed, FeedEvent } from '../../../src/decisions/feed.js';
import { decisions } from '../../support/decisions.js';

const ALL: readonly FeedEvent[] = decisions(40).map((each, at) => ({
  seq: at + 1,
  event: toStoredText(each),
}));
const idsOf = (events: readonly FeedEvent[]) => events.map(({ event }) => String(JSON.parse(event).id));

/** A log that grows by each number when a reader waits, and stops its reader at the end. */
function growing(steps: readonly number[], stop: AbortController) {
  const left = [...steps];
  let end = left.shift() ?? 0;
  const feed: DecisionFeed = {
    last: () => end,
    find: () => undefined,
    newestId: () => undefined,
    page: (after) => ALL.slice(after, Math.min(end, after + 5)),
    async more() {
      const more = left.shift();
      if (more === undefined) stop.abort();
      else end = Math.min(ALL.length, end + more);
    },
    close: async () => {},
  };
  return { feed, end: () => end };
}

const clock = { now: () => 0, sleep: async () => {} };

it('a stream from any position sends what follows it, each decision once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(15), { minLength: 1 }), fc.nat(10), async (steps, from) => {
      const stop = new AbortController();
      const { feed, end } = growing([from, ...steps], stop);
      const sent: string[] = [];
      const write = async (text: string) => {
        const [, id, data = ''] = /^id: (.+)\nevent: decisions\ndata: (.+)\n\n$/.exec(text) ?? [];
        const { rows } = DecisionBatch.parse(JSON.parse(data));
        expect(rows.at(-1)?.id).toBe(id);
        sent.push(...rows.map((row) => row.id));
        return true;
      };
      await sendDecisions(feed, from, { stop: stop.signal, write }, clock);
      expect(sent).toEqual(idsOf(ALL.slice(from, end())));
    }),
  );
});

it('a reader that is far behind gets one resync, and what is new after it', async () => {
  const stop = new AbortController();
  const far: FeedEvent = { seq: 10_001, event: ALL[0]?.event ?? '' };
  const { feed } = growing([3], stop);
  const behind: DecisionFeed = {
    ...feed,
    last: () => 10_000,
    page: (after) => (after < 10_000 ? ALL.slice(0, 5) : after === 10_000 ? [far] : []),
  };
  const sent: string[] = [];
  const write = async (text: string) => sent.push(text) > 0;
  await sendDecisions(behind, 0, { stop: stop.signal, write }, clock);
  expect(sent.map((text) => /event: (\w+)/.exec(text)?.[1])).toEqual(['resync', 'decisions']);
});

it('ends when the reader is gone', async () => {
  const { feed } = growing([3], new AbortController());
  const write = async () => false;
  await sendDecisions(feed, 0, { stop: new AbortController().signal, write }, clock);
});
