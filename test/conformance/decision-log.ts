import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCheckpointEvent } from '../../src/decisions/checkpoint.js';
import {
  type DecisionLog,
  type PlacedEvent,
  parseLogEvent,
  type ReadOptions,
} from '../../src/decisions/log.js';
import { SyncError } from '../../src/errors.js';
import type { Decision } from '../../src/model/decision.js';
import { decision, decisions, faultsOf } from '../support/decisions.js';

/** An empty topic, of which any number of logs can be opened, as by several processes. */
export interface DecisionTopic {
  open(): DecisionLog;
  dispose(): Promise<void>;
}

/** What every adapter of the port must do. */
export function describeDecisionLog(name: string, createTopic: () => Promise<DecisionTopic>): void {
  describe(`the decision log ${name}`, () => {
    let topic: DecisionTopic;
    let log: DecisionLog;
    const opened: DecisionLog[] = [];
    const open = () => {
      const another = topic.open();
      opened.push(another);
      return another;
    };

    beforeEach(async () => {
      topic = await createTopic();
      log = open();
      await log.check();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()));
      await topic.dispose();
    });

    it('gives back every field of a decision as it was appended', async () => {
      const full = decision({ detail: 'Open streams end at the drain time of the proxy.' });
      await log.append([full]);
      expect(await all(log)).toEqual([full]);
    });

    it('gives back a decision that has only what is required', async () => {
      const { client, scopes, principal, before, after, consul, latencyMs, ...bare } = decision();
      const { eventId, ...cause } = bare.cause;
      await log.append([{ ...bare, cause }]);
      expect(await all(log)).toEqual([{ ...bare, cause }]);
    });

    it('keeps text of any script and control characters', async () => {
      const odd = decision({ detail: 'líne 1\nline 2\t"quoted" \\ 𝔘 \u0000 ' });
      await log.append([odd]);
      expect(await all(log)).toEqual([odd]);
    });

    it('keeps a checkpoint between the events, and gives only decisions as decisions', async () => {
      const [before, after] = [decision({ detail: 'before' }), decision({ detail: 'after' })];
      const checkpoint = {
        id: '01J0000000000000000000000C',
        time: '2026-03-01T10:00:00.000Z',
        source: 'scopemesh/payments',
        log: 'one',
        note: 'text\n\n\u2014 name c2ln\n',
        tree: { size: 1, roots: [Buffer.alloc(32, 7)] },
      };
      await log.append([before]);
      await log.appendCheckpoint(checkpoint);
      await log.append([after]);
      const events: unknown[] = [];
      for await (const event of log.readEvents({ from: 'start', follow: false }, AbortSignal.timeout(60_000)))
        events.push(JSON.parse(event));
      expect(events).toHaveLength(3);
      expect(events.flatMap((event) => parseCheckpointEvent(event) ?? [])).toEqual([checkpoint]);
      const decided = await all(log);
      expect(decided).toHaveLength(2);
      expect(decided).toEqual(expect.arrayContaining([before, after]));
    });

    it('is empty at first', async () => {
      expect(await all(log)).toEqual([]);
    });

    it('appends nothing when it is checked, however often', async () => {
      await log.check();
      await log.check();
      expect(await all(log)).toEqual([]);
    });

    it('keeps the order of each subject over many batches', async () => {
      const history = decisions(120, 7);
      for (let at = 0; at < history.length; at += 25) await log.append(history.slice(at, at + 25));
      const read = await all(log);
      expect(read).toHaveLength(120);
      expect(faultsOf(read)).toEqual([]);
    });

    it('appends nothing when given nothing', async () => {
      await log.append([]);
      expect(await all(log)).toEqual([]);
    });

    it('holds what another opening of it appended', async () => {
      const written = decisions(3);
      await log.append(written);
      await log.close();
      expect(idsOf(await first(open(), 3))).toEqual(new Set(written.map((each) => each.id)));
    });

    it('gives each event with a position, from which another opening goes on', async () => {
      const [before, first, later] = [decisions(2), decisions(4), decisions(3)];
      await log.append(before);
      const begin = await log.position();
      await log.append(first);
      const stop = new AbortController();
      const read = async (from: string, count: number) => {
        const found: PlacedEvent[] = [];
        for await (const each of open().readFrom(from, stop.signal)) {
          found.push(each);
          if (found.length === count) break;
        }
        return found;
      };
      const seen = await read(begin, 2);
      const last = seen.at(-1)?.position ?? '';
      const following = read(last, 5);
      await log.append(later);
      const all = [...seen, ...(await following)];
      // A topic keeps the order of each partition alone.
      const ids = all.map(({ event }) => parseLogEvent(event)?.id ?? '');
      expect(ids.toSorted()).toEqual([...idsOf([...first, ...later])].toSorted());
      expect(all.every(({ isAfterGap }) => isAfterGap === undefined)).toBe(true);
      stop.abort();
      expect(await read(last, 1)).toEqual([]);
    });

    it('tells which ids stand at or after a position', async () => {
      const before = decisions(4, 4, 'before');
      const after = decisions(4, 4, 'after');
      await log.append(before);
      const position = await log.position();
      await log.append(after);
      const asked = [...before, ...after].map((each) => each.id);
      expect(await log.contains([...asked, 'absent'], position)).toEqual(
        new Set(after.map((each) => each.id)),
      );
    });

    it('tells the same to a successor that opens it after the writer is gone', async () => {
      const position = await log.position();
      const written = decisions(5);
      await log.append(written);
      const successor = open();
      expect(await successor.contains([written[2]?.id ?? '', 'absent'], position)).toEqual(
        new Set([written[2]?.id]),
      );
      const more = decisions(2, 2, 'more');
      await successor.append(more);
      expect(await all(successor)).toHaveLength(7);
    });

    it('finds no id from the present position on', async () => {
      const written = decisions(3);
      await log.append(written);
      const position = await log.position();
      expect(
        await log.contains(
          written.map((each) => each.id),
          position,
        ),
      ).toEqual(new Set());
    });

    it('finds nothing when asked for nothing', async () => {
      expect(await log.contains([], await log.position())).toEqual(new Set());
    });

    it('reads from an instant on', async () => {
      const early = decision({ time: '2026-03-01T10:00:00.000Z', revision: 1 });
      const late = decision({ time: '2026-03-01T11:00:00.000Z', revision: 2 });
      await log.append([early, late]);
      expect(await all(log, { from: '2026-03-01T10:30:00.000Z', follow: false })).toEqual([late]);
      expect(await all(log, { from: '2026-03-01T12:00:00.000+01:00', follow: false })).toEqual([late]);
    });

    it('refuses to read from a text that is no instant', async () => {
      await expect(all(log, { from: 'yesterday', follow: false })).rejects.toBeInstanceOf(SyncError);
    });

    it('reads nothing from the end if it does not follow', async () => {
      await log.append(decisions(2));
      expect(await all(log, { from: 'end', follow: false })).toEqual([]);
    });

    it('follows: gives what is there and then what comes, until it is aborted', async () => {
      const [first, second] = [decision({ revision: 1 }), decision({ revision: 2 })];
      await log.append([first]);
      const stop = new AbortController();
      const reader = open().read({ from: 'start', follow: true }, stop.signal)[Symbol.asyncIterator]();
      expect((await reader.next()).value).toEqual(first);
      const next = reader.next();
      await log.append([second]);
      expect((await next).value).toEqual(second);
      const last = reader.next();
      stop.abort();
      expect((await last).done).toBe(true);
    });

    it('ends a reader at once whose signal is aborted already', async () => {
      await log.append(decisions(2));
      const read = [];
      for await (const each of log.read({ from: 'start', follow: true }, AbortSignal.abort()))
        read.push(each);
      expect(read).toEqual([]);
    });

    it('lets a reader leave in the middle', async () => {
      await log.append(decisions(50, 2));
      for await (const each of log.read({ from: 'start', follow: true }, new AbortController().signal)) {
        expect(each.id).toBeTruthy();
        break;
      }
      await log.append([decision({ subject: 'after' })]);
      expect(await all(log)).toHaveLength(51);
    });

    it('ends its readers when it is closed', async () => {
      const reader = log.read({ from: 'start', follow: true }, new AbortController().signal);
      const iterator = reader[Symbol.asyncIterator]();
      const written = decision();
      await log.append([written]);
      expect((await iterator.next()).value).toEqual(written);
      const next = iterator.next();
      await log.close();
      expect((await next).done).toBe(true);
    });

    it('keeps a decision of 300 kB and one batch of more than a megabyte', async () => {
      const large = decision({ after: { kind: 'http', filler: 'x'.repeat(300_000) }, subject: 'large' });
      const batch = decisions(300, 3).map((each) => ({ ...each, after: { filler: 'y'.repeat(5_000) } }));
      await log.append([large, ...batch]);
      const read = await all(log);
      expect(read.find((each) => each.id === large.id)).toEqual(large);
      expect(faultsOf(read)).toEqual([]);
      expect(read).toHaveLength(301);
    });
  });
}

async function all(
  log: DecisionLog,
  options: ReadOptions = { from: 'start', follow: false },
): Promise<Decision[]> {
  const read: Decision[] = [];
  for await (const each of log.read(options, AbortSignal.timeout(60_000))) read.push(each);
  return read;
}

/** Waits for so many: readers elsewhere may see an append a moment after it resolved. */
async function first(log: DecisionLog, count: number): Promise<Decision[]> {
  const read: Decision[] = [];
  for await (const each of log.read({ from: 'start', follow: true }, AbortSignal.timeout(30_000))) {
    read.push(each);
    if (read.length === count) break;
  }
  return read;
}

function idsOf(read: readonly Decision[]): Set<string> {
  return new Set(read.map((each) => each.id));
}
