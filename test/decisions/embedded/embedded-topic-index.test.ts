import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { emptyChain, extendChain } from '../../../src/decisions/chain.js';
import { HOLE_PATIENCE_MS, MAX_HELD } from '../../../src/decisions/embedded/topic-index-judge.js';
import { createNoteVerifier } from '../../../src/decisions/signed-note.js';
import type { Decision } from '../../../src/model/decision.js';
import { accessDiff } from '../../../src/trail/access-diff.js';
import { historyOf } from '../../../src/trail/history.js';
import { whoCanCall } from '../../../src/trail/who-can-call.js';
import { decision, edgeDecision } from '../../support/decisions.js';
import { chained as signed, stranger, verifier } from '../../support/signed-log.js';
import { chained, createIndexRig, type IndexRig, LOG, partsOf } from '../../support/trail-index.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-index-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const DAY = 86_400_000;
const ALLOW = { access: 'allow' };
const onDay = (day: number) => new Date(Date.parse('2026-03-01T00:00:00.000Z') + day * DAY).toISOString();
const opened = (source: string, day: number) => edgeDecision(source, onDay(day), null, ALLOW);
const six = () => chained([1, 2, 3, 4, 5, 6].map((day) => opened(`s${day}`, day)));
const LOG_OF_OTHER = '01JZZZZZZZZZZZZZZZZZZZZZZZ';
const signedBy = (decisions: readonly Decision[]) => ({
  log: LOG_OF_OTHER,
  chained: signed(decisions, LOG_OF_OTHER, stranger),
});
/** The content of one decision with the place and the proof of another one. */
function withChain(each: Decision, chain: Decision['chain']): Decision {
  const { hash = '', proof } = chain ?? {};
  const [other = each] = extendChain(emptyChain(LOG), [{ ...each, reason: 'ScopeGranted' }]).chained;
  const link = other.chain ?? { log: '', sequence: 1, previousHash: hash, hash };
  return { ...other, chain: { ...link, ...(proof === undefined ? {} : { proof }) } };
}
const idsOf = (decisions: readonly Decision[]) => decisions.map(({ id }) => id);

async function callers(rig: IndexRig, at?: string) {
  const trail = await rig.trail();
  const now = new Date(rig.clock.now()).toISOString();
  const answer = await whoCanCall(trail, 'orders', at ?? now).finally(() => trail.close());
  return { sources: answer.callers.map(({ source }) => source), unknown: answer.unknown.join('\n') };
}

describe('the index of a topic', () => {
  it('takes the decisions of its owner in the order of the chain, whatever their order in the topic', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    const others = chained([decision({ source: 'scopemesh/other/replica-1' })], '01ZZZZZZZZZZZZZZZZZZZZZZZZ');
    await rig.take(partsOf([...all.slice(0, 4).toReversed(), ...others, 'no event at all']));
    await rig.take(partsOf([...all.slice(4).toReversed(), ...all.slice(2, 3)]));
    expect(await rig.ids()).toEqual(idsOf(all));
    // What is no event.
    expect(rig.faults).toEqual(['unproven']);
  });

  it('waits for a decision that another one follows, over a crash too', async () => {
    const rig = createIndexRig(directory);
    const [first, second, third, ...rest] = six();
    await rig.take(partsOf([first, second].flatMap((each) => each ?? [])));
    const complete = await callers(rig);
    expect(complete.unknown).not.toContain('lacks');
    await rig.take(partsOf(rest, { position: 'behind the rest' }));
    const { sources, unknown } = await callers(rig);
    expect(sources).toEqual(complete.sources);
    expect(unknown).toContain(`lacks decisions between ${onDay(2)} and`);
    await rig.reopen();
    expect(rig.position()).toBe('behind the rest');
    await rig.take(partsOf([third].flatMap((each) => each ?? [])));
    expect((await callers(rig)).sources).toEqual(['s1', 's2', 's3', 's4', 's5', 's6']);
    expect((await callers(rig)).unknown).not.toContain('lacks');
    expect(rig.faults).toEqual([]);
  });

  it('goes on without what the topic does not have, and each later answer says so', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    const left = [...all.slice(0, 2), ...all.slice(3)];
    await rig.take(partsOf(left));
    rig.clock.advance(HOLE_PATIENCE_MS);
    await rig.take(partsOf([]));
    expect(await rig.ids()).toEqual(idsOf(left));
    expect(rig.faults).toEqual(['gap']);
    expect((await callers(rig)).unknown).toContain(`lacks decisions between ${onDay(2)} and ${onDay(4)}`);
    expect((await callers(rig, onDay(1))).unknown).not.toContain('lacks');
    await rig.take(partsOf(left));
    // It came after all: too late, but nobody changed it.
    await rig.take(partsOf(all));
    expect(await rig.ids()).toEqual(idsOf(left));
    expect(rig.faults).toEqual(['gap']);
    expect((await callers(rig)).unknown).not.toContain('continue the chain');
  });

  it('takes what other logs have while one waits, and never reads the topic again for it', async () => {
    const rig = createIndexRig(directory);
    const [first, second, ...rest] = six();
    const forged = chained(six(), '00000000000000000000000000').slice(4, 5);
    await rig.take(partsOf([first, ...forged].flatMap((each) => each ?? [])));
    await rig.take(partsOf([second].flatMap((each) => each ?? [])));
    expect((await callers(rig)).sources).toEqual(['s1', 's2']);
    rig.clock.advance(HOLE_PATIENCE_MS);
    await rig.take(partsOf(rest));
    expect((await callers(rig)).sources).toEqual(['s1', 's2', 's3', 's4', 's5', 's6']);
    expect([rig.position(), rig.faults]).toEqual(['read', ['broken']]);
    expect((await callers(rig)).unknown).not.toContain('lacks');
  });

  it('drops together what waits in a log that does not begin, and then waits for nothing', async () => {
    const rig = createIndexRig(directory);
    const forged = chained(six(), '00000000000000000000000000').slice(3);
    await rig.take(partsOf(forged));
    rig.clock.advance(HOLE_PATIENCE_MS);
    await rig.take(partsOf([]));
    expect(rig.faults).toEqual(['broken', 'broken', 'broken']);
    expect((await callers(rig)).unknown).not.toContain('lacks');
  });

  it('begins a log that Kafka cut, however much earlier another owner decided', async () => {
    const rig = createIndexRig(directory);
    const others = chained(
      [decision({ source: 'scopemesh/other/replica-1', time: onDay(0) })],
      '01ZZZZZZZZZZZZZZZZZZZZZZZZ',
    );
    const left = six().slice(2);
    await rig.take(partsOf([...others, ...left], { cut: ['0'] }));
    expect(await rig.ids()).toEqual(idsOf(left));
    expect(rig.faults).toEqual([]);
  });

  it('goes on with a log while a later decision of it waits', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf([...all.slice(0, 1), ...all.slice(5)]));
    for (const each of all.slice(1, 4)) {
      rig.clock.advance(HOLE_PATIENCE_MS - 1_000);
      await rig.take(partsOf([each]));
    }
    expect((await callers(rig)).sources).toEqual(['s1', 's2', 's3', 's4']);
    await rig.take(partsOf(all.slice(4, 5)));
    expect((await callers(rig)).sources).toEqual(['s1', 's2', 's3', 's4', 's5', 's6']);
    expect(rig.faults).toEqual([]);
  });

  it('rests as long as it works, so that others in the process go on', async () => {
    const rig = createIndexRig(directory);
    let ticks = rig.clock.now();
    vi.spyOn(rig.clock, 'now').mockImplementation(() => ticks++);
    const rests = vi.spyOn(rig.clock, 'sleep').mockResolvedValue();
    await rig.take(partsOf(chained(Array.from({ length: 250 }, (_, each) => opened(`s${each}`, 1)))));
    // Three batches each to store what was read, and to move it into the index.
    expect(rests.mock.calls.map(([ms]) => ms > 0)).toEqual(Array(6).fill(true));
    vi.restoreAllMocks();
  });

  it('holds back a limited number of decisions', async () => {
    const rig = createIndexRig(directory);
    const all = chained(Array.from({ length: MAX_HELD + 3 }, (_, each) => opened(`s${each}`, 1)));
    await rig.take(partsOf([...all.slice(0, 1), ...all.slice(2)]));
    expect(await rig.ids()).toHaveLength(1);
    await rig.take(partsOf([]));
    expect(await rig.ids()).toHaveLength(MAX_HELD + 2);
    expect(rig.faults).toEqual(['gap']);
  });

  it('leaves out a signed decision in the place of another one, and says so', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf(all));
    await rig.take(partsOf(all.slice(0, 1).flatMap((each) => chained([{ ...each, id: 'forged' }]))));
    expect(await rig.ids()).toEqual(idsOf(all));
    expect(rig.faults).toEqual(['broken']);
    expect((await callers(rig)).unknown).toContain('Decision forged');
  });

  const forgedBy = (decisions: readonly Decision[], log: string) => signed(decisions, log, stranger);
  const old = '00000000000000000000000000';

  it.each<[string, readonly (Decision | string)[]]>([
    [
      'that was changed',
      six().map((each) => ({ ...each, reason: 'ScopeGranted' as const, id: `x${each.id}` })),
    ],
    ['without a chain', six().map(({ chain: _, ...each }) => ({ ...each, id: `x${each.id}` }))],
    ['without a proof', extendChain(emptyChain(old), six()).chained],
    ['with the proof of another one', six().map((each) => withChain(each, each.chain))],
    ['by a key that nobody trusts', forgedBy(six(), old)],
    [
      'by a trusted key of another owner',
      six().map((each) => ({ ...each, source: 'scopemesh/payments/other' })),
    ],
    ['in the log that is next', forgedBy(six(), LOG).slice(3)],
    ['that is no event', ['', '{}', 'null', '\ud800', '{"data":{"chain":1}}']],
    [
      'in a thousand logs',
      Array.from({ length: 1_100 }, (_, at) => at).flatMap((at) =>
        forgedBy(six().slice(0, 2), `${String(at).padStart(26, '0')}`).slice(at % 2),
      ),
    ],
  ])('takes what scopemesh signed, whatever forged message %s is around it', async (_, forged) => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf([...forged, ...all.slice(0, 3), ...forged]));
    await rig.take(partsOf(forged));
    await rig.take(partsOf([...all.slice(3), ...forged]));
    expect(await rig.ids()).toEqual(idsOf(all));
    const { sources, unknown } = await callers(rig);
    expect(sources).toEqual(['s1', 's2', 's3', 's4', 's5', 's6']);
    expect(unknown).not.toMatch(/lacks|continue the chain/);
    expect(rig.counted('unproven')).toBe(4 * forged.length);
    expect(new Set(rig.faults)).toEqual(new Set(['unproven']));
  });

  it('takes nothing twice that somebody repeats, in any order', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf([...all, ...all.toReversed()]));
    await rig.take(partsOf([...all.slice(2, 4), ...all]));
    expect(await rig.ids()).toEqual(idsOf(all));
    expect(rig.faults).toEqual([]);
  });

  it('reads the topic again once another key is trusted', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    const { log, chained: rest } = signedBy(all.slice(3));
    await rig.take(partsOf([...all.slice(0, 3), ...rest]));
    expect(await rig.ids()).toEqual(idsOf(all.slice(0, 3)));
    await rig.reopen([verifier, createNoteVerifier(stranger.verifierKey)]);
    expect([rig.position(), log]).toEqual(['', LOG_OF_OTHER]);
    await rig.take(partsOf([...all.slice(0, 3), ...rest]));
    expect(await rig.ids()).toEqual(idsOf(all));
  });

  it('keeps what it has when the topic is made again, and takes what continues it', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf(all.slice(0, 4)));
    rig.replaced();
    expect(rig.position()).toBe('');
    await rig.take(partsOf(all.slice(4)));
    expect(await rig.ids()).toEqual(idsOf(all));
    expect(rig.faults).toEqual(['replaced']);
    expect((await callers(rig)).unknown).toContain('lacks decisions between');
  });

  it('says what Kafka deleted before the first read, and before a later one', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf(all.slice(2, 4), { cut: ['0'] }));
    expect((await callers(rig)).unknown).toContain(`The topic deleted decisions from before ${onDay(3)}`);
    await expect(callers(rig, onDay(1))).rejects.toThrow('the retention of the topic');
    expect(rig.faults).toEqual([]);
    await rig.take(partsOf(all.slice(4), { cut: ['0'] }));
    expect(rig.faults).toEqual(['gap']);
    expect((await callers(rig)).sources).toEqual(['s3', 's4', 's5', 's6']);
  });

  it('deletes what is older than it keeps, remembers what is open, and does not take it again', async () => {
    const rig = createIndexRig(directory, 100);
    const all = six();
    rig.clock.advance(Date.parse(onDay(103)) + 1 - rig.clock.now());
    await rig.take(partsOf(all));
    const left = idsOf(all.slice(3));
    expect(await rig.ids()).toEqual(left);
    rig.replaced();
    await rig.take(partsOf(all));
    expect(await rig.ids()).toEqual(left);
    expect((await callers(rig)).sources).toEqual(['s1', 's2', 's3', 's4', 's5', 's6']);
  });

  it('answers about what it has while it is behind, and about nothing later', async () => {
    const rig = createIndexRig(directory);
    await expect(rig.trail()).rejects.toThrow('--from-topic');
    await rig.take(partsOf(six()));
    rig.clock.advance(3_600_000);
    expect((await callers(rig, onDay(3))).sources).toEqual(['s1', 's2', 's3']);
    await expect(callers(rig)).rejects.toThrow('--from-topic');
    const trail = await rig.trail();
    await expect(historyOf(trail, 'orders', { limit: 9 })).rejects.toThrow(
      'the local index of the topic ends at',
    );
    const { decisions, unknown } = await historyOf(trail, 'orders', { to: onDay(2), limit: 9 });
    expect([decisions.length, unknown]).toEqual([2, [expect.stringContaining('local index')]]);
    const now = new Date(rig.clock.now()).toISOString();
    await expect(accessDiff(trail, onDay(1), now)).rejects.toThrow('--from-topic');
    await trail.close();
  });
});

describe('an older log that the index sees after a newer one', () => {
  const [older, newer] = ['01JAAAAAAAAAAAAAAAAAAAAAAA', '01JBBBBBBBBBBBBBBBBBBBBBBB'];
  const closed = edgeDecision('web', onDay(6), ALLOW, null);

  it('because somebody wrote a signed decision to the topic again that Kafka had deleted, opens no edge', async () => {
    const rig = createIndexRig(directory);
    const [, ...left] = chained([opened('x', 5), closed, opened('y', 7)], newer);
    await rig.take(partsOf(left, { cut: ['0'] }));
    await rig.take(partsOf(chained([opened('web', 1)], older)));
    expect((await callers(rig)).sources).toEqual(['y']);
  });

  it('because its key is trusted later, opens no edge that the newer one closed', async () => {
    const rig = createIndexRig(directory);
    const all = [...signed([opened('web', 1)], older, stranger), ...chained([closed, opened('y', 7)], newer)];
    await rig.take(partsOf(all));
    await rig.reopen([verifier, createNoteVerifier(stranger.verifierKey)]);
    await rig.take(partsOf(all));
    expect((await callers(rig)).sources).toEqual(['y']);
  });
});
