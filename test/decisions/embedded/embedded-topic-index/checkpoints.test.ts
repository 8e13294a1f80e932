import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { answerQuestion } from '../../../../src/daemon/answer-question.js';
import { extendSigned } from '../../../../src/decisions/batch-proof.js';
import { emptyChain, toStoredText } from '../../../../src/decisions/chain.js';
import { verifyIndex } from '../../../../src/decisions/embedded/verify-index.js';
import { verifyInclusion } from '../../../../src/decisions/proofs.js';
import { TopicContent } from '../../../../src/decisions/topic-content.js';
import { toTrailRecord } from '../../../../src/decisions/trail-record.js';
import { decision, decisions } from '../../../support/decisions.js';
import { checkpointOf, signer, verifier } from '../../../support/signed-log.js';
import { createIndexRig, type IndexRig, LOG, partsOf } from '../../../support/trail-index.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-index-checkpoints-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const YEARS = 3_650 * 86_400_000;

/** Ten decisions in parts, as they are stored, with the checkpoint behind each part. */
function logOf(...sizes: readonly number[]) {
  let head = emptyChain(LOG);
  const all = decisions(10);
  const parts = sizes.map((size) => {
    const next = extendSigned(head, all.slice(head.tree.size, head.tree.size + size), signer);
    head = next.head;
    return { events: next.chained.map(toStoredText), checkpoint: checkpointOf(head) };
  });
  return { parts, ids: all.slice(0, head.tree.size).map(({ id }) => id) };
}

async function proofOf(rig: IndexRig, id: string) {
  const trail = await rig.trail();
  const question = { kind: 'proof', query: { id }, now: rig.clock.now(), protectedServices: [] } as const;
  return answerQuestion(async () => trail, question).finally(() => trail.close());
}

/** Each decision by its ID, and how many its checkpoint signs, or why there is no proof. */
async function proven(rig: IndexRig, ids: readonly string[]) {
  const found: unknown[] = [];
  for (const id of ids) {
    const proof = verifyInclusion(await proofOf(rig, id), [verifier]);
    expect(proof?.id).toBe(id);
    found.push(proof?.size);
  }
  return found;
}

function indexFault(rig: IndexRig, events: readonly string[]) {
  const content = new TopicContent('payments', rig.clock.now(), YEARS);
  for (const event of events) content.add(toTrailRecord(event));
  return verifyIndex(directory, [verifier], content);
}

it('proves each decision by the checkpoints of the topic, whatever their order there', async () => {
  const rig = createIndexRig(directory);
  const { parts, ids } = logOf(4, 1, 5);
  const events = parts.flatMap(({ events: some, checkpoint }) => [checkpoint, ...some]);
  await rig.take(partsOf(events.slice(0, 3)));
  await rig.take(partsOf(events.slice(3).toReversed()));
  expect(await rig.ids()).toEqual(ids);
  // The first one came before what it signs, in a read of its own.
  expect(await proven(rig, ids)).toEqual([5, 5, 5, 5, 5, 10, 10, 10, 10, 10]);
  expect(rig.faults).toEqual([]);
  expect(indexFault(rig, events)).toBeUndefined();
});

it('has no proof of what no checkpoint signs yet, and goes on after a restart', async () => {
  const rig = createIndexRig(directory);
  const { parts, ids } = logOf(4, 6);
  const [first, second] = parts;
  await rig.take(partsOf([...(first?.events ?? []), first?.checkpoint ?? '', ...(second?.events ?? [])]));
  await expect(proofOf(rig, ids[9] ?? '')).rejects.toThrow('no checkpoint signs decision');
  await rig.reopen();
  await rig.take(partsOf([second?.checkpoint ?? '']));
  expect(await proven(rig, ids.slice(3, 5))).toEqual([4, 10]);
});

it('a checkpoint that somebody writes again, with the ID of a decision or another time, hides nothing', async () => {
  const rig = createIndexRig(directory);
  const { parts, ids } = logOf(4, 6);
  const forged = ids.flatMap((id) =>
    parts.map(({ checkpoint }) =>
      JSON.stringify({
        ...JSON.parse(checkpoint),
        id,
        time: '2020-01-01T00:00:00.000Z',
        subject: 'client/x',
      }),
    ),
  );
  const events = [...forged, ...parts.flatMap(({ events: some }) => some), ...forged];
  await rig.take(partsOf(events));
  expect(await rig.ids()).toEqual(ids);
  expect(await proven(rig, ids)).toEqual([4, 4, 4, 4, 10, 10, 10, 10, 10, 10]);
  expect(indexFault(rig, events)).toBeUndefined();
});

it('a checkpoint that no trusted key signed, or that signs another tree, is none', async () => {
  const rig = createIndexRig(directory);
  const { parts, ids } = logOf(10);
  const [{ events = [], checkpoint = '{}' } = {}] = parts;
  const { data, ...rest } = JSON.parse(checkpoint);
  const otherTree = { ...rest, data: { ...data, roots: data.roots.toReversed() } };
  const otherNote = { ...rest, data: { ...data, note: data.note.replace(`\n10\n`, '\n9\n') } };
  await rig.take(partsOf([...events, JSON.stringify(otherTree), JSON.stringify(otherNote)]));
  await expect(proofOf(rig, ids[0] ?? '')).rejects.toThrow('no checkpoint signs decision');
});

it('an index that has its first checkpoint late still deletes what is too old', async () => {
  const rig = createIndexRig(directory, 1);
  const fresh = decision({ time: new Date(rig.clock.now()).toISOString() });
  const { head, chained } = extendSigned(emptyChain(LOG), [...decisions(9), fresh], signer);
  await rig.take(partsOf([...chained, checkpointOf(head)]));
  expect(await rig.ids()).toEqual([fresh.id]);
});
