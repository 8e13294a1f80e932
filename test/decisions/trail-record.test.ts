import { describe, expect, it } from 'vitest';
import { toStoredText } from '../../src/decisions/chain.js';
import { inChainOrder, toTrailRecord } from '../../src/decisions/trail-record.js';
import { decisions } from '../support/decisions.js';
import { beginningOf, chained, logOf } from '../support/signed-log.js';

const [stored = ''] = chained(decisions(1)).map(toStoredText);
const { data, ...event } = JSON.parse(stored);

describe('an event of a log', () => {
  it.each([
    ['with an ID that is no text', { ...event, id: 1, data }],
    ['with a source that is no text', { ...event, source: 1, data }],
    ['with a time that is no text', { ...event, time: 1, data }],
    ['without a place in the chain', { ...event, data: { ...data, chain: undefined } }],
    ['of the type of a checkpoint', { ...event, type: 'dev.scopemesh.checkpoint.signed', data }],
    ['that is no object', [stored]],
  ])('%s is none that scopemesh wrote', (_, value) => {
    expect(toTrailRecord(JSON.stringify(value))).toEqual({ kind: 'unreadable' });
  });

  it('in bytes that are no UTF-8 is none that scopemesh wrote', () => {
    expect(toTrailRecord(Buffer.concat([Buffer.from(stored), Buffer.of(0xff)]))).toEqual({
      kind: 'unreadable',
    });
  });
});

describe('the records of a topic', () => {
  const order = (events: readonly string[]) => inChainOrder(events, toTrailRecord);

  it('are in the order of their logs, whatever the logs are called', () => {
    const logs = [logOf(2, 'b'), logOf(2, 'a', { log: 'b', size: 2 }), logOf(1, 'c', { log: 'a', size: 2 })];
    const all = logs.flat();
    expect(order(all.toReversed())).toEqual(all);
  });

  it('are in an order though their notes go round in a circle, and what has no place is first', () => {
    const circle = [beginningOf('a', { log: 'b', size: 0 }), beginningOf('b', { log: 'a', size: 0 })];
    expect(order([...circle, 'text'])).toEqual(['text', circle[1], circle[0]]);
  });
});
