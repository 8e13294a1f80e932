import { describe, expect, test } from 'vitest';
import { toLastAppliedText } from '../../src/plan/last-applied.js';
import { intentionSubject } from '../../src/plan/plan.js';
import { ALLOW, client, entriesOf, entry, named, planOf, scene, source } from './scene.js';

const SUBJECT = intentionSubject(named('orders'), 'web');
const WRITTEN = new Map([[SUBJECT, toLastAppliedText(ALLOW, [])]]);
const REMOVED = new Map([[SUBJECT, toLastAppliedText(undefined, [])]]);
const LONG = 'x'.repeat(600);

/** The plan where `web` has a source without the mark; it may call `orders`, or not. */
const plan = (written: ReadonlyMap<string, string>, isDesired: boolean, description = '') =>
  planOf(
    scene({
      clients: [client('web', isDesired ? ['orders'] : [])],
      entries: entriesOf(entry('orders', { ...source('web', ALLOW), description })),
      written,
    }),
  );

describe('a source without the mark', () => {
  test('is held as MarkLost if scopemesh wrote it, also if nothing wants it any more', () => {
    const [held] = plan(WRITTEN, true).holds;
    expect(held).toMatchObject({ reason: 'MarkLost', action: 'grant', client: { clientId: 'web' } });
    const [unwanted] = plan(WRITTEN, false).holds;
    expect(unwanted).toMatchObject({ reason: 'MarkLost', action: 'revoke' });
    expect(unwanted?.after).toBeUndefined();
    expect(held?.detail).toBe(
      "scopemesh wrote this source, but the mark is missing from its Description; restore the mark with 'scopemesh adopt', or remove the source",
    );
  });

  test('is of somebody else if scopemesh removed its own, or wrote none', () => {
    expect(plan(REMOVED, false).holds).toEqual([]);
    expect(plan(new Map(), false).holds).toEqual([]);
    expect(plan(REMOVED, true).holds).toMatchObject([{ reason: 'ForeignSource' }]);
    expect(plan(new Map(), true).holds).toMatchObject([{ reason: 'ForeignSource' }]);
  });

  test('cannot be adopted before its Description is short enough to stay beside the mark, and the hold says so', () => {
    const [held] = plan(new Map(), true, LONG).holds;
    expect(held?.detail).toMatch(/; to adopt it, first shorten its Description from 600 to (\d+) bytes,/);
    const room = Number(/600 to (\d+) bytes/.exec(held?.detail ?? '')?.[1]);
    const details = [room, room + 1].map(
      (bytes) => plan(new Map(), true, 'x'.repeat(bytes)).holds[0]?.detail,
    );
    expect(details.map((detail) => detail?.includes('shorten'))).toEqual([false, true]);
  });

  test('of a peer is never one that scopemesh wrote', () => {
    const peers = scene({
      clients: [client('web', [])],
      entries: entriesOf(entry('orders', { ...source('web', ALLOW), peer: 'east' })),
      written: WRITTEN,
    });
    expect(planOf(peers).holds.filter(({ reason }) => reason === 'MarkLost')).toEqual([]);
  });
});
