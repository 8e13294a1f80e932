import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOLE_PATIENCE_MS } from '../../src/decisions/embedded/embedded-topic-index.js';
import type { Decision } from '../../src/model/decision.js';
import { accessDiff } from '../../src/trail/access-diff.js';
import { historyOf } from '../../src/trail/history.js';
import { whoCanCall } from '../../src/trail/who-can-call.js';
import { decision, edgeDecision } from '../support/decisions.js';
import { chained, createIndexRig, type IndexRig, partsOf } from '../support/trail-index.js';

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
    expect(await rig.take(partsOf([...all.slice(0, 4).toReversed(), ...others, 'no event at all']))).toBe(
      true,
    );
    expect(await rig.take(partsOf([...all.slice(4).toReversed(), ...all.slice(2, 3)]))).toBe(true);
    expect(await rig.ids()).toEqual(idsOf(all));
    expect(rig.faults).toEqual([]);
  });

  it('waits for a decision that another one follows, over a crash too', async () => {
    const rig = createIndexRig(directory);
    const [first, second, third, ...rest] = six();
    expect(await rig.take(partsOf([first, second].flatMap((each) => each ?? [])))).toBe(true);
    const complete = await callers(rig);
    expect(await rig.take(partsOf(rest, { position: 'behind the rest' }))).toBe(false);
    expect(await callers(rig)).toEqual(complete);
    await rig.reopen();
    expect(rig.position()).toBe('behind the rest');
    expect(await rig.take(partsOf([third].flatMap((each) => each ?? [])))).toBe(true);
    expect((await callers(rig)).sources).toEqual(['s1', 's2', 's3', 's4', 's5', 's6']);
    expect(rig.faults).toEqual([]);
  });

  it('searches the topic for what is missing, and finds it', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf(all.slice(0, 2)));
    await rig.take(partsOf(all.slice(3)));
    rig.clock.advance(HOLE_PATIENCE_MS);
    expect(await rig.take(partsOf([]))).toBe(false);
    expect(rig.position()).toBe('');
    expect(await rig.take(partsOf(all))).toBe(true);
    expect(await rig.ids()).toEqual(idsOf(all));
    expect(rig.faults).toEqual([]);
  });

  it('goes on without what the topic does not have, and each later answer says so', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    const left = [...all.slice(0, 2), ...all.slice(3)];
    await rig.take(partsOf(left));
    rig.clock.advance(HOLE_PATIENCE_MS);
    await rig.take(partsOf([]));
    expect(await rig.take(partsOf(left))).toBe(true);
    expect(await rig.ids()).toEqual(idsOf(left));
    expect(rig.faults).toEqual(['gap']);
    expect((await callers(rig)).unknown).toContain(`lacks decisions between ${onDay(2)} and ${onDay(4)}`);
    expect((await callers(rig, onDay(1))).unknown).not.toContain('lacks');
    expect(await rig.take(partsOf(left))).toBe(true);
    expect(rig.faults).toEqual(['gap']);
  });

  it.each([
    ['was changed', (each: Decision) => ({ ...each, id: 'forged' })],
    ['is in the place of another one', (each: Decision) => chained([{ ...each, id: 'forged' }])[0] ?? each],
  ])('leaves out a decision that %s, and says so', async (_, change) => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf(all));
    await rig.take(partsOf(all.slice(0, 1).map(change)));
    expect(await rig.ids()).toEqual(idsOf(all));
    expect(rig.faults).toEqual(['broken']);
    expect((await callers(rig)).unknown).toContain('Decision forged');
  });

  it('keeps what it has when the topic is made again, and takes what continues it', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    await rig.take(partsOf(all.slice(0, 4)));
    rig.replaced();
    expect(rig.position()).toBe('');
    expect(await rig.take(partsOf(all.slice(4)))).toBe(true);
    expect(await rig.ids()).toEqual(idsOf(all));
    expect(rig.faults).toEqual(['replaced']);
    expect((await callers(rig)).unknown).toContain('lacks decisions between');
  });

  it('says what Kafka deleted before the first read, and before a later one', async () => {
    const rig = createIndexRig(directory);
    const all = six();
    expect(await rig.take(partsOf(all.slice(2, 4), { cut: ['0'] }))).toBe(true);
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
