import { expect, it } from 'vitest';
import { extendSigned } from '../../src/decisions/batch-proof.js';
import { emptyChain, toStoredText } from '../../src/decisions/chain.js';
import { ChainCheck } from '../../src/decisions/chain-check.js';
import { toTrailRecord } from '../../src/decisions/trail-record.js';
import { decisions } from '../support/decisions.js';
import { beginningOf, chained, logOf, signer, stranger } from '../support/signed-log.js';

const ALL = decisions(5);
const [BEGIN = '', ...ONE] = [beginningOf('one'), ...chained(ALL).map(toStoredText)];
const TWO = logOf(3, 'two');
/** The same history up to its third decision, which is another one, also signed. */
const OTHER = chained(ALL.map((each, at) => (at === 2 ? { ...each, detail: 'another' } : each))).map(
  toStoredText,
);
const FORGED = chained(ALL, 'one', stranger).map(toStoredText);
/** Signed behind the first decision, with the number of another one. */
const two = extendSigned(emptyChain('one'), ALL.slice(0, 1), signer).head;
const [skipped = ''] = extendSigned(
  { ...two, tree: { ...two.tree, size: 2 } },
  ALL.slice(1, 2),
  signer,
).chained.map(toStoredText);

function read(events: readonly string[]): void {
  const check = new ChainCheck([signer.verifierKey]);
  for (const each of events) check.see(toTrailRecord(each));
}

it('a reader takes a log from any decision on, and the log that follows it', () => {
  expect(() => read([BEGIN, ...ONE, ...TWO])).not.toThrow();
  expect(() => read(ONE.slice(2))).not.toThrow();
});

it.each([
  ['an event of somebody else', ['{}'], 'an event is not one that scopemesh wrote'],
  ['a changed decision', [ONE[0]?.replace('ScopeRevoked', 'ScopeGranted') ?? ''], 'does not have the hash'],
  ['a decision of another key', FORGED, 'none of the keys signed decision'],
  ['a number that is left out', [ONE[0] ?? '', skipped], 'number 3 and does not continue number 1'],
  ['a decision in the place of another one', ONE.toSpliced(2, 1, ...OTHER.slice(2, 3)), 'number 4'],
  ['a missing decision', ONE.toSpliced(2, 1), 'number 4'],
  ['a repeated decision', [...ONE, ...ONE.slice(4)], 'number 5'],
  [
    'a log without its beginning',
    [...ONE, ...TWO.slice(2)],
    'does not begin with its first decision but with 2',
  ],
])('a reader refuses %s', (_, events, why) => {
  expect(() => read(events)).toThrow(/^The chain of decisions is broken: /);
  expect(() => read(events)).toThrow(why);
});
