import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { leafOf } from '../../../src/decisions/chain.js';
import { appendLeaf, EMPTY_FRONTIER } from '../../../src/decisions/merkle.js';
import { type TrailRecord, toTrailRecord } from '../../../src/decisions/trail-record.js';
import type { TrailFault } from '../../../src/decisions/verify-trail.js';
import { checkpointOf, logOf, type Stored, verifier, withBit } from '../../support/signed-log.js';
import { isSoak } from '../../support/soak.js';
import { type VerifyOptions, verifyTrail } from '../../support/verify-trail.js';

const LOG = logOf(1_000);
const RECORDS = LOG.map((event) => toTrailRecord(event));
const isDecision = (at: number) => RECORDS[at]?.kind === 'decision';
const places = (isChosen: (at: number) => boolean) => [...LOG.keys()].filter(isChosen);
/** With `FAULTS=all` every twentieth, which takes some minutes, as all take hours; otherwise the first and the one before a checkpoint. */
const DECISIONS = places(isDecision).filter((at) => (isSoak && at % 20 === 7) || [1, 100].includes(at));
const CHECKPOINTS = places((at) => !isDecision(at)).filter((at) => isSoak || at === 101);
const LONG_MS = 3_600_000;

/**
 * Each as bytes, as an export has them, and as text, as the embedded log and a topic have it; without `FAULTS=all` those of one
 * byte as bytes and those of the next as text.
 */
function* changesOf(at: number): Iterable<{ readonly stored: Stored; readonly bit: number }> {
  const event = LOG[at] ?? '';
  const bits = Buffer.byteLength(event) * 8;
  for (let bit = 0; bit < bits; bit++) {
    const stored = withBit(event, bit >> 3, bit & 7);
    const isOdd = (bit >> 3) % 2 === 1;
    if (isSoak || isOdd) yield { stored, bit };
    if (isSoak || !isOdd) yield { stored: stored.toString(), bit };
  }
}

/**
 * The last decision before this place, behind a checkpoint that is made for it. The verification keeps only the end of the chain
 * and of the tree, and a log may begin with a checkpoint, so it says the same as for the whole log.
 */
function fromLastDecision(at: number): readonly TrailRecord[] {
  const before = RECORDS.slice(0, at).filter((each) => each.kind === 'decision');
  const last = before.at(-1);
  if (last === undefined || before.length === 1) return RECORDS.slice(0, at);
  const earlier = before.slice(0, -1);
  const tree = earlier.reduce((each, { link }) => appendLeaf(each, leafOf(link.hash)), EMPTY_FRONTIER);
  const head = { log: 'one', hash: earlier.at(-1)?.link.hash ?? '', tree };
  return [toTrailRecord(checkpointOf(head)), last];
}

/** What the verification says of a record behind others, and whether it says so about this record. */
function faultOf(
  at: number,
  before: readonly TrailRecord[],
  record: TrailRecord,
  options: VerifyOptions,
): { readonly fault: TrailFault | undefined; readonly isThere: boolean } {
  const { fault } = verifyTrail([...before, record, ...RECORDS.slice(at + 1, at + 3)], options);
  return { fault, isThere: fault?.position === before.length + 1 };
}

const text = (at: number, bit: number, fault?: TrailFault) =>
  `bit ${bit} of event ${at + 1}: ${fault === undefined ? 'no fault' : `${fault.kind}, ${fault.detail}`}`;

describe('a log of 1,000 decisions', () => {
  it(
    'shows the change of each single bit of a decision at this decision',
    async () => {
      let count = 0;
      for (const at of DECISIONS) {
        const before = fromLastDecision(at);
        const wrong: string[] = [];
        for (const { stored, bit } of changesOf(at)) {
          const { fault, isThere } = faultOf(at, before, toTrailRecord(stored), { verifiers: [verifier] });
          if (!isThere) wrong.push(text(at, bit, fault));
          count++;
        }
        expect(wrong).toEqual([]);
        await setImmediate();
      }
      const bits = DECISIONS.reduce((sum, at) => sum + Buffer.byteLength(LOG[at] ?? '') * 8, 0);
      expect(count).toBe(isSoak ? 2 * bits : bits);
      if (isSoak) console.log(`${count} changes of ${DECISIONS.length} decisions`);
    },
    LONG_MS,
  );

  it(
    'shows the change of each single bit of a checkpoint at this checkpoint, if it changes what the checkpoint says',
    async () => {
      for (const at of CHECKPOINTS) {
        const { data } = JSON.parse(LOG[at] ?? '') as { readonly data: unknown };
        const before = fromLastDecision(at);
        const wrong: string[] = [];
        for (const { stored, bit } of changesOf(at)) {
          const { fault, isThere } = faultOf(at, before, toTrailRecord(stored), { verifiers: [verifier] });
          // Its ID, time and source are not signed.
          if (fault === undefined) expect(JSON.parse(stored.toString())).toMatchObject({ data });
          else if (!isThere) wrong.push(text(at, bit, fault));
          if (bit % 1_000 === 0) await setImmediate();
        }
        expect(wrong).toEqual([]);
      }
    },
    LONG_MS,
  );
});
