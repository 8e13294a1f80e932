import { describe, expect, it } from 'vitest';
import { isMeant, type OwnMapping } from '../../src/model/replica.js';

const at = (minute: number) => `2026-03-01T10:${String(minute).padStart(2, '0')}:00.000Z`;
const mapping = (revision: string, readAt: number): OwnMapping => ({
  mode: 'enforce',
  revision,
  readAt: at(readAt),
});
/** The last leader read `a` at 10, and was seen until 20. */
const DIED = { revision: 'a', readAt: at(10), seenAt: at(20) };
const STOPPED = { ...DIED, seenAt: DIED.readAt };

describe('a mapping is meant to take the place of the last leader’s', () => {
  it.each([
    ['the same one', mapping('a', 5), DIED, []],
    ['one that the only replica read after the leader had died', mapping('b', 21), DIED, []],
    ['one that a standby read after the leader, which then stopped cleanly', mapping('b', 15), STOPPED, []],
    ['one that all replicas have at the end of a rolling update', mapping('b', 15), DIED, [mapping('b', 16)]],
    ['one that a replica confirms which read it last', mapping('b', 5), DIED, [mapping('b', 21)]],
  ])('%s', (_, own, former, others) => {
    expect(isMeant(own, former, others)).toBe(true);
  });

  it.each([
    ['one of a standby that saw the leader die', mapping('b', 15), DIED, []],
    ['an older one, whose leader stopped cleanly', mapping('b', 5), STOPPED, []],
    ['older ones, however many agree', mapping('b', 5), DIED, [mapping('b', 6), mapping('b', 7)]],
    [
      'one that another replica does not have yet',
      mapping('b', 21),
      DIED,
      [mapping('a', 10), mapping('b', 22)],
    ],
    ['one beside a third mapping', mapping('b', 21), DIED, [mapping('c', 22)]],
  ])('but not %s', (_, own, former, others) => {
    expect(isMeant(own, former, others)).toBe(false);
  });
});
