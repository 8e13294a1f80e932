import { describe, expect, it, onTestFinished } from 'vitest';
import type { Trail } from '../../src/decisions/trail.js';
import type { Decision } from '../../src/model/decision.js';
import { edgeDecision } from '../support/decisions.js';
import { chained } from '../support/trail-index.js';

const ALLOW = { access: 'allow' };
const day = (number: number) => `2026-03-0${number}T10:00:00.000Z`;

const WEB = 'intention/default/default/orders/web';
const BATCH = 'intention/default/default/orders/batch';
const HISTORY = chained([
  edgeDecision('web', day(1), null, ALLOW),
  edgeDecision('batch', day(2), null, ALLOW),
  edgeDecision('web', day(3), ALLOW, null),
  edgeDecision('web', day(5), null, ALLOW),
]);

/** What every adapter of the port must answer. `open` makes a trail of the decisions, which are chained and in order. */
export function describeTrail(name: string, open: (decisions: readonly Decision[]) => Promise<Trail>): void {
  describe(`the trail ${name}`, () => {
    const opened = async (decisions: readonly Decision[] = HISTORY) => {
      const trail = await open(decisions);
      onTestFinished(() => trail.close());
      return trail;
    };

    it('knows its extent', async () => {
      expect(await (await opened()).extent()).toMatchObject({ first: day(1), last: day(5), isCut: false });
      expect(await (await opened([])).extent()).toMatchObject({ first: undefined, last: undefined });
    });

    it('names the subjects about a name and below a prefix, sorted', async () => {
      const trail = await opened();
      const subjects = (of: Parameters<Trail['subjects']>[0]) => all(trail.subjects(of));
      expect(await subjects({ kind: 'destination', name: 'orders' })).toEqual([BATCH, WEB]);
      expect(await subjects({ kind: 'client', name: 'web-app' })).toEqual([WEB]);
      expect(await subjects({ kind: 'person', name: 'web-app' })).toEqual([]);
      expect(await subjects({ prefix: 'intention/' })).toEqual([BATCH, WEB]);
    });

    it('gives the decisions of a subject up to an instant, and the first one after it', async () => {
      const trail = await opened();
      const [first, , third, fourth] = HISTORY;
      expect(await all(trail.newestFirst(WEB, day(4)))).toEqual([third, first]);
      expect(await all(trail.newestFirst(WEB, day(1)))).toEqual([first]);
      expect(await trail.next(WEB, day(3))).toEqual(fourth);
      expect(await trail.next(WEB, day(5))).toBeUndefined();
    });

    it('gives a history, newest first, with both ends included', async () => {
      const trail = await opened();
      const [, second, third] = HISTORY;
      const between = { from: day(2), to: day(3) };
      expect(await all(trail.history('all', {}))).toEqual(HISTORY.toReversed());
      expect(await all(trail.history('all', between))).toEqual([third, second]);
      expect(await all(trail.history({ subject: WEB }, between))).toEqual([third]);
      expect(await all(trail.history('all', { to: { id: second?.id ?? '' } }))).toEqual(
        HISTORY.slice(0, 2).toReversed(),
      );
      expect(await trail.decision(second?.id ?? '')).toEqual(second);
      expect(await trail.decision('01J0000000000000000000GONE')).toBeUndefined();
      expect(await all(trail.history({ kind: 'principal', name: 'alice' }, between))).toHaveLength(2);
    });
  });
}

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
