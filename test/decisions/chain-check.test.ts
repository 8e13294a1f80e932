import { expect, it } from 'vitest';
import { toStoredText } from '../../src/decisions/chain.js';
import { ChainCheck } from '../../src/decisions/chain-check.js';
import { toTrailRecord } from '../../src/decisions/trail-record.js';
import type { Decision } from '../../src/model/decision.js';
import { decisions } from '../support/decisions.js';
import { chained, signer } from '../support/signed-log.js';

const ALL = decisions(5);
const ONE = chained(ALL);
const TWO = chained(decisions(3), 'two');
/** The same history up to its third decision, which is another one, also signed. */
const OTHER = chained(ALL.map((each, at) => (at === 2 ? { ...each, detail: 'another' } : each)));

function read(events: readonly Decision[]): void {
  const check = new ChainCheck([signer.verifierKey]);
  for (const each of events) check.see(toTrailRecord(toStoredText(each)));
}

it('a reader takes a log from any decision on, and the log that follows it', () => {
  expect(() => read([...ONE, ...TWO])).not.toThrow();
  expect(() => read(ONE.slice(2))).not.toThrow();
});

it.each([
  ['a decision in the place of another one', ONE.toSpliced(2, 1, ...OTHER.slice(2, 3)), 'number 4'],
  ['a missing decision', ONE.toSpliced(2, 1), 'number 4'],
  ['a repeated decision', [...ONE, ...ONE.slice(4)], 'number 5'],
  [
    'a log without its beginning',
    [...ONE, ...TWO.slice(1)],
    'does not begin with its first decision but with 2',
  ],
])('a reader refuses %s', (_, events, why) => {
  expect(() => read(events)).toThrow(why);
});
