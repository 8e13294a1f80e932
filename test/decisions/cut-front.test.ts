import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { extendSigned } from '../../src/decisions/batch-proof.js';
import { type ChainHead, emptyChain } from '../../src/decisions/chain.js';
import { checkpointSubject, originOf, signCheckpoint } from '../../src/decisions/checkpoint.js';
import { fromFirstWholeCheckpoint } from '../../src/decisions/cut-front.js';
import { inChainOrder, type TrailRecord, toTrailRecord } from '../../src/decisions/trail-record.js';
import { decisions } from '../support/decisions.js';
import { beginningOf, logOf, signer, verifier } from '../support/signed-log.js';
import { verifyTrail } from '../support/verify-trail.js';

const verifiers = [verifier];
const PARTS = 3;

/** 120 decisions and a checkpoint after every tenth, each record with its partition. */
const records: { readonly record: TrailRecord; readonly part: number }[] = [
  { record: toTrailRecord(beginningOf('one')), part: 0 },
];
let head: ChainHead = emptyChain('one');
for (const [at, decision] of decisions(120, 7).entries()) {
  const next = extendSigned(head, [decision], signer);
  head = next.head;
  for (const { id, source, time, chain } of next.chained)
    if (chain !== undefined)
      records.push({
        record: { kind: 'decision', id, source, time, link: chain, isIntact: true },
        part: (at % 7) % PARTS,
      });
  if (head.tree.size % 10 !== 0) continue;
  const note = signCheckpoint(signer, originOf('payments', 'one'), head);
  const stored = {
    id: 'c',
    time: '2026-03-01T10:00:00.000Z',
    source: 's',
    log: 'one',
    note,
    tree: head.tree,
  };
  records.push({
    record: { kind: 'checkpoint', checkpoint: stored },
    part: checkpointSubject('one').length % PARTS,
  });
}

/** What is left of the partitions after each has lost so many of its oldest records. */
function cutBy(lost: readonly number[], all = records) {
  const parts = lost.map((count, part) => all.filter((each) => each.part === part).slice(count));
  const cut = parts.flatMap(([first], part) => ((lost[part] ?? 0) > 0 ? [{ first: first?.record }] : []));
  const left = inChainOrder(
    parts.flat().map(({ record }) => record),
    (record) => record,
  );
  return { left, cut };
}
const verify = ({ left, cut }: ReturnType<typeof cutBy>) =>
  verifyTrail(
    fromFirstWholeCheckpoint(left, (record) => record, cut),
    { verifiers },
  );

describe('a topic that deleted its oldest events', () => {
  it('is verified whole while nothing is deleted', () => {
    expect(verify(cutBy([0, 0, 0]))).toMatchObject({ logs: [{ first: 1, last: 120 }] });
  });

  test('is verified from the first checkpoint after which each partition is whole', () => {
    const lost = fc.tuple(...Array.from({ length: PARTS }, () => fc.nat(30)));
    fc.assert(
      fc.property(lost, (counts) => {
        const { left, cut } = cutBy(counts);
        const report = verify({ left, cut });
        expect(report.fault).toBeUndefined();
        const isThere = new Set(
          left.flatMap((each) => (each.kind === 'decision' ? [each.link.sequence] : [])),
        );
        const lastGap = Math.max(
          0,
          ...Array.from({ length: 120 }, (_, at) => at + 1).filter((n) => !isThere.has(n)),
        );
        const first = report.logs[0]?.first ?? 0;
        expect(first).toBeGreaterThan(lastGap);
        if (lastGap === 0) expect(first).toBe(1);
        expect(report.logs).toMatchObject([{ last: 120 }]);
      }),
      { numRuns: 60 },
    );
  });

  it('shows a decision that is missing behind what the partitions lost', () => {
    const without = records.filter(
      ({ record }) => record.kind !== 'decision' || record.link.sequence !== 100,
    );
    expect(verify(cutBy([4, 9, 0], without)).fault).toMatchObject({ kind: 'removed', sequence: 100 });
  });

  it('shows a decision that is missing although no partition lost anything', () => {
    const without = records.filter(({ record }) => record.kind !== 'decision' || record.link.sequence !== 2);
    expect(verify(cutBy([0, 0, 0], without)).fault).toMatchObject({ kind: 'removed', sequence: 2 });
  });

  it('begins with the next log where the end of a log is deleted, whatever note of it is left or repeated', () => {
    const [begin = '', ...rest] = logOf(30, 'one');
    const second = logOf(5, 'two', { log: 'one', size: 30 });
    const third = logOf(2, 'zwei', { log: 'two', size: 5 });
    for (const left of [[begin], [begin, ...rest.slice(0, 12)], rest.slice(0, 3), [rest[20] ?? '']]) {
      const records = [...left, ...second, ...third].map(toTrailRecord);
      const cut = [{ first: toTrailRecord(second[1] ?? '') }];
      const report = verify({ left: inChainOrder(records, (record) => record), cut });
      expect(report.fault).toBeUndefined();
      expect(report.logs).toMatchObject([{ log: 'two', first: 1, last: 5 }, { log: 'zwei' }]);
      // Where no partition lost anything, somebody removed it.
      expect(verify({ left: records, cut: [] }).fault).toBeDefined();
    }
  });

  it('is not verified where no checkpoint is left behind the gap', () => {
    const without = records.filter(({ record }) => record.kind === 'decision');
    expect(verify(cutBy([4, 9, 0], without)).fault).toMatchObject({ kind: 'inserted', sequence: 3 });
  });
});

/** `A2` is a decision, `A2!` the checkpoint behind it, `B<A2` the note with which a log begins, `?` no event. */
function recordOf(name: string): TrailRecord {
  const [, log = '', sequence, note] = /^([AB])(\d?)(!?)$/.exec(name) ?? [];
  if (name === '?') return { kind: 'unreadable' };
  if (name === 'A!') return toTrailRecord(beginningOf('A'));
  if (log === '') return toTrailRecord(beginningOf('B', { log: 'A', size: Number(name.slice(3)) }));
  const [id, source, time] = [name, 's', '2026-03-01T10:00:00.000Z'];
  const size = Number(sequence);
  if (note === '!')
    return { kind: 'checkpoint', checkpoint: { id, source, time, log, note: '', tree: { size, roots: [] } } };
  const link = { log, sequence: size, previousHash: '', hash: '' };
  return { kind: 'decision', id, source, time, link, isIntact: true };
}

it.each<[string, left: string, firsts: readonly string[], verified: string]>([
  ['the first checkpoint behind a gap', 'A! A3 A3! A4 A5!', ['A3'], 'A3! A4 A5!'],
  ['a checkpoint of what is lost', 'A2! A3 A3!', ['A3'], 'A2! A3 A3!'],
  ['the next checkpoint if the first note is lost alone', 'A1 A2! A3', ['A1'], 'A2! A3'],
  ['its first note if nothing is lost in the end', 'A! A1 A2 A2! A3', ['A2'], 'A! A1 A2 A2! A3'],
  ['its first note if nothing explains a gap', 'A! A1 A3 A3!', ['A2'], 'A! A1 A3 A3!'],
  ['the note of the next log', '? A2 A3 B<A3 B1 B2 B3!', ['A2'], '? B<A3 B1 B2 B3!'],
  ['what is left of the next log', 'A2 B2 B3', ['B2'], 'B2 B3'],
  ['a checkpoint of the next log', 'A! A1 A2 A2! B<A2 B2 B2!', ['B2'], 'B2!'],
  ['the last checkpoint of a log whose end is lost', 'A! A1 A2! B<A2 B1', ['B1'], 'A2! B<A2 B1'],
  ['the only checkpoint if a part has nothing left', 'A! A2 A2!', [''], 'A2!'],
  ['the former log, which lost more', 'A3 A3! B<A3 B2 B2!', ['A3'], 'A3! B<A3 B2 B2!'],
  ['the former log, though the next has no first note', 'A3 A3! B1 B2!', ['A3'], 'A3! B1 B2!'],
])('a topic is verified from %s', (_, left, firsts, verified) => {
  const cut = firsts.map((first) => ({ first: first === '' ? undefined : recordOf(first) }));
  expect(fromFirstWholeCheckpoint(left.split(' '), recordOf, cut)).toEqual(verified.split(' '));
});
