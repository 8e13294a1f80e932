import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { openDecisionFeed } from '../../../src/decisions/embedded/decision-feed.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { NEVER } from '../../../src/linked-signal.js';
import { silentLogger } from '../../../src/observe.js';
import { decisions } from '../../support/decisions.js';

async function opened(clock: Clock = systemClock) {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-feed-'));
  const log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
  const feed = await openDecisionFeed({ directory, isIndex: false, clock });
  const close = async () => {
    await Promise.all([log.close(), feed.close()]);
    rmSync(directory, { recursive: true, force: true });
  };
  return { log, feed, close };
}

it('gives every reader each event once and in order, whatever is appended between its pages', async () => {
  const all = decisions(400);
  const step = fc.record({ does: fc.constantFrom('append', 'first', 'second'), count: fc.nat(60) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.nat(60), async (steps, before) => {
      const { log, feed, close } = await opened();
      let appended = 0;
      const append = async (count: number) => {
        await log.append(all.slice(appended, appended + count));
        appended = Math.min(all.length, appended + count);
      };
      const reader = (from: number) => ({ after: from, seen: [] as string[] });
      try {
        await append(before);
        const begins = feed.last();
        const [first, second] = [reader(0), reader(begins)];
        const read = ({ after, seen }: ReturnType<typeof reader>) => {
          const page = feed.page(after);
          seen.push(...page.map(({ event }) => String(JSON.parse(event).id)));
          return page.at(-1)?.seq ?? after;
        };
        for (const { does, count } of [...steps, { does: 'append', count: 1 }])
          if (does === 'append') await append(count);
          else if (does === 'first') first.after = read(first);
          else second.after = read(second);
        for (const each of [first, second])
          for (let at = -1; at !== each.after; ) {
            at = each.after;
            each.after = read(each);
          }
        const ids = all.slice(0, appended).map(({ id }) => id);
        expect(first.seen).toEqual(ids);
        expect(second.seen).toEqual(ids.slice(before));
      } finally {
        await close();
      }
    }),
    { numRuns: 15 },
  );
});

it('reads an event once for all who are up to date, and from the disk for one who is far behind', async () => {
  const { log, feed, close } = await opened();
  onTestFinished(close);
  const all = decisions(3_000);
  const [one] = all;
  await log.append(all);
  let after = 0;
  let count = 0;
  for (let page = feed.page(after); page.length > 0; page = feed.page(after)) {
    count += page.length;
    after = page.at(-1)?.seq ?? after;
  }
  expect(count).toBe(3_000);
  expect(feed.page(after - 1)[0]).toBe(feed.page(after - 2)[1]);
  expect(feed.page(0)[0]).not.toBe(feed.page(0)[0]);
  expect(feed.page(0)[0]?.seq).toBe(1);
  expect(feed.newestId()).toBe(all.at(-1)?.id);
  expect([feed.find(one?.id ?? ''), feed.find('gone')]).toEqual([1, undefined]);
});

it('keeps less of large events, and says what may pass once it is closed', async () => {
  const { log, feed, close } = await opened();
  onTestFinished(close);
  await log.append(decisions(12).map((each) => ({ ...each, detail: 'x'.repeat(500_000) })));
  expect(feed.page(0)[0]?.seq).toBe(1);
  // 4 MiB of them are in memory.
  const [first, again] = [4, 11].map((after) => feed.page(after)[0]);
  expect([feed.page(4)[0] === first, feed.page(11)[0] === again]).toEqual([true, true]);
  expect(feed.page(3)[0]).not.toBe(feed.page(3)[0]);
  await feed.close();
  expect(() => feed.page(0)).toThrow(
    expect.objectContaining({ code: 'ERR_DECISIONS_UNREACHABLE', retriable: true }),
  );
});

it('wakes a reader that waits, and leaves at once with its signal', async () => {
  const { log, feed, close } = await opened();
  onTestFinished(close);
  const stop = new AbortController();
  const waiting = feed.more(stop.signal);
  stop.abort();
  await waiting;
  await log.append(decisions(1));
  await feed.more(new AbortController().signal);
  expect(feed.page(0)).toHaveLength(1);
});

it('does not make an index that its follower has not made', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-feed-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  await expect(openDecisionFeed({ directory, isIndex: true, clock: systemClock })).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: `there is no index of the topic in ${directory} yet; its first read is not over`,
  });
});

it('looks once for all who wait, wakes nobody while nothing is new, and rests when nobody waits', async () => {
  const looks: (() => void)[] = [];
  const sleep = () => new Promise<void>((resolve) => void looks.push(resolve));
  const { log, feed, close } = await opened({ ...systemClock, sleep });
  onTestFinished(close);
  expect(feed.newestId()).toBeUndefined();
  await feed.more(AbortSignal.abort());
  expect(looks).toHaveLength(0);
  const stop = new AbortController();
  let woken = 0;
  const readers = [NEVER, NEVER, stop.signal].map(async (signal) => {
    await feed.more(signal);
    woken += 1;
  });
  const look = async () => {
    looks.at(-1)?.();
    await setImmediate();
    return [looks.length, woken];
  };
  expect(await look()).toEqual([2, 0]);
  expect(await look()).toEqual([3, 0]);
  await log.append(decisions(1));
  expect(await look()).toEqual([3, 3]);
  await Promise.all(readers);
  expect(feed.page(0)).toHaveLength(1);
  const left = feed.more(stop.signal);
  expect(looks).toHaveLength(4);
  stop.abort();
  await left;
  expect(await look()).toEqual([4, 3]);
});
