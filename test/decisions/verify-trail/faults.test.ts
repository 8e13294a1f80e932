import { describe, expect, it } from 'vitest';
import { extendSigned } from '../../../src/decisions/batch-proof.js';
import { emptyChain, extendChain, toStoredText } from '../../../src/decisions/chain.js';
import { originOf, signCheckpoint } from '../../../src/decisions/checkpoint.js';
import { placeOf, type TrailRecord, toTrailRecord, withPlace } from '../../../src/decisions/trail-record.js';
import type { TrailFault } from '../../../src/decisions/verify-trail.js';
import { decisions } from '../../support/decisions.js';
import {
  beginningOf,
  chained,
  checkpointOf,
  logOf,
  neighbour,
  neighbourVerifier,
  signer,
  stranger,
  verifier,
} from '../../support/signed-log.js';
import { verifyTrail } from '../../support/verify-trail.js';

const ALL = decisions(4);
const headOf = (count: number) => extendChain(emptyChain('one'), ALL.slice(0, count)).head;
const stored = (of = ALL, by = signer) => chained(of, 'one', by).map(toStoredText);
const [d1 = '', d2 = '', d3 = '', d4 = ''] = stored();
const [other = ''] = stored(ALL.map((each) => ({ ...each, detail: 'another' })));
const [strange = ''] = stored(ALL, stranger);
const [continued = ''] = extendSigned(
  { ...emptyChain('one'), hash: 'f'.repeat(64) },
  ALL,
  signer,
).chained.map(toStoredText);
const [ofNeighbour = ''] = extendSigned(
  headOf(1),
  ALL.slice(1, 2).map((each) => ({ ...each, source: 'scopemesh/other/a' })),
  neighbour,
).chained.map(toStoredText);
const changed = d1.replace('ScopeRevoked', 'ScopeGranted');
const begin = beginningOf('one');
const two = logOf(2, 'two', { log: 'one', size: 3 });
const [c2, c3] = [checkpointOf(headOf(2)), checkpointOf(headOf(3))];
const withData = (event: string, changes: object) => {
  const { data, ...rest } = JSON.parse(event);
  return JSON.stringify({ ...rest, data: { ...data, ...changes } });
};
/** The checkpoint of three decisions with another note. */
const withNoteOf = (count: number, by = signer) =>
  withData(c3, { note: signCheckpoint(by, originOf('payments', 'one'), headOf(count)) });
/** The roots of two decisions beside a larger number. */
const resized = withData(c2, { size: 3 });

const records = (events: readonly (string | undefined)[]) =>
  events.map((event = '', at) => withPlace(toTrailRecord(event), `place ${at}`));
const textOf = (fault: TrailFault | undefined) => {
  const { position, place, kind, sequence, detail } = fault ?? {};
  const at = place === undefined ? '' : ` at ${place}`;
  return `${position}${at}, ${kind}${sequence === undefined ? '' : ` ${sequence}`}: ${detail}`;
};

describe('the fault of a log', () => {
  it.each([
    [
      'with an event of somebody else',
      [begin, '{}'],
      '2 at place 1, changed: the event is not one that scopemesh wrote',
    ],
    [
      'with more than a proof beside the hash',
      [begin, d1.replace('"index"', '"extra":1,"index"')],
      '2 at place 1, changed: the event is not one that scopemesh wrote',
    ],
    [
      'with a changed decision',
      [begin, changed],
      '2 at place 1, changed 1: its content does not have the hash that it names',
    ],
    [
      'with its first decision again',
      [c2, other],
      '2, repeated 1: decision 1 is there already; 3 should be here',
    ],
    [
      'without its beginning',
      [d2, d3],
      '1, inserted 2: the signed note with which log one begins is not before its decision 2',
    ],
    [
      'without its first note',
      [...two, d1],
      '4, removed 1: the signed note with which log one begins is not before its decision 1',
    ],
    ['that lost a decision', [begin, d1, d3, ...two], '3, removed 2: decision 2 is missing'],
    ['that lost two decisions', [begin, d1, d4], '3, removed 2: decisions 2 to 3 are missing'],
    [
      'with a decision before another one',
      [begin, d1, d3, d2],
      '3, moved 3: decision 3 is where decision 2 should be',
    ],
    [
      'with a copy of a later decision',
      [begin, d1, d3, d2, d3],
      '3, repeated 3: decision 3 is here and also in its correct place',
    ],
    [
      'with another decision that the key signed',
      [begin, other, d2],
      '2, changed 1: the previous hash in decision 2 is not the hash of the decision before it',
    ],
    [
      'whose first decision continues another one',
      [begin, continued],
      '2, changed 1: the previous hash in decision 1 is not the hash of the decision before it',
    ],
    ['that a stranger signed', [begin, strange], '2, unsigned 1: none of the keys signed the decision'],
    [
      'with a checkpoint of another log',
      [begin, d1, d2, checkpointOf({ ...headOf(2), log: 'three' })],
      '4, checkpoint 2: the checkpoint is about another log',
    ],
    [
      'that lost its end before a checkpoint',
      [begin, d1, d2, c3],
      '4, removed 3: a checkpoint signs 3 decisions, and the log has 2 before it',
    ],
    [
      'with a late checkpoint',
      [begin, d1, d2, d3, c2],
      '5, moved 2: the checkpoint is not after the last decision that it signs',
    ],
    [
      'with another decision than its checkpoint signs',
      [begin, other, checkpointOf(headOf(1))],
      '3, changed 1: the first 1 decisions are not those that the checkpoint signs',
    ],
    [
      'with a decision of another owner',
      [begin, d1, ofNeighbour],
      '3, inserted 2: decision 2 is of another owner than log one',
    ],
    [
      'with a checkpoint of another owner',
      [
        begin,
        d1,
        d2,
        d3,
        withData(c3, { note: signCheckpoint(neighbour, originOf('other', 'one'), headOf(3)) }),
      ],
      '5, checkpoint 3: the checkpoint is about another log',
    ],
    [
      'of decisions alone with one of another owner',
      [d1, ofNeighbour],
      '2, inserted 2: decision 2 is of another owner than log one',
    ],
    [
      'with the checkpoint of a stranger',
      [begin, d1, d2, d3, withNoteOf(3, stranger)],
      '5, checkpoint 3: the checkpoint has no valid signature by this key',
    ],
    [
      'with the note of another checkpoint',
      [begin, d1, d2, d3, withNoteOf(2)],
      '5, checkpoint 3: the checkpoint does not say what its signature covers',
    ],
    [
      'that begins with another number than its note signs',
      [resized, d4],
      '1, checkpoint 3: the checkpoint does not say what its signature covers',
    ],
    [
      'that begins twice',
      [begin, d1, beginningOf('one', { log: 'zero', size: 0 })],
      '3, repeated: log one begins a second time',
    ],
    [
      'behind the one that follows it',
      [...two, beginningOf('one', { log: 'two', size: 1 })],
      '4, moved: log one is behind the log that follows it',
    ],
    [
      'behind another one that it does not name',
      [begin, d1, beginningOf('two')],
      '3, moved: log two is the first one, and others are before it',
    ],
    [
      'that follows more than is there',
      [begin, d1, two[0]],
      '3, removed 2: log two follows 3 decisions of log one, and there are 1',
    ],
    [
      'that follows one that is not there',
      [begin, d1, beginningOf('three', { log: 'two', size: 1 })],
      '3, removed 1: log three follows 1 decisions of log two, and there are 0',
    ],
    [
      'that follows an empty one that is not there',
      [begin, beginningOf('three', { log: 'two', size: 0 })],
      '2, removed 1: log three follows 0 decisions of log two, and there are 0',
    ],
  ] as const)('%s says where it is and what is wrong', (_, events, text) => {
    const { fault, logs } = verifyTrail(records(events), { verifiers: [verifier, neighbourVerifier] });
    expect(textOf(fault)).toBe(text);
    // What is wrong counts for nothing.
    const before = records(events.slice(0, (fault?.position ?? 0) - 1));
    expect(logs.map(({ log }) => log)).toEqual([...new Set(before.map((each) => placeOf(each)?.log))]);
  });

  it.each([
    [{ log: 'one', size: 4 }, '5, removed 4: the end of log one is missing'],
    [{ log: 'zero', size: 2 }, '5, removed 1: log zero is missing'],
    [
      { log: 'one', size: 2 },
      '3, changed 2: the first 2 decisions are not those of the checkpoint that was kept elsewhere',
    ],
  ])('against the kept checkpoint %j says what is missing', (named, text) => {
    const kept = { ...named, root: Buffer.alloc(32) };
    const { fault } = verifyTrail(records([begin, d1, d2, d3]), { verifiers: [verifier], kept });
    const signed = `: a checkpoint that was kept elsewhere signs ${named.size} decisions of it`;
    expect(textOf(fault)).toBe(fault?.kind === 'removed' ? text + signed : text);
  });
});

it('messages that nobody signed are counted and change nothing', () => {
  const flood: TrailRecord = { kind: 'unproven' };
  const all = [flood, ...records([begin, d1]), flood];
  const logs = [{ log: 'one', first: 1, last: 1 }];
  const report = { decisions: 1, unproven: 2, checkpoints: 1, logs };
  expect(verifyTrail(all, { verifiers: [verifier] })).toEqual(report);
});

it('decisions without a note are a log from the first one on, and a checkpoint without a key proves nothing', () => {
  const logs = [{ log: 'one', first: 1, last: 2 }];
  expect(verifyTrail(records([d1, d2, c2]))).toEqual({ decisions: 2, unproven: 0, checkpoints: 0, logs });
});
