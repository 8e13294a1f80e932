import { beforeEach, describe, expect, it } from 'vitest';
import { entryAfter } from '../../../src/apply/entry-sources.js';
import { type EntryWrite, writeEntry } from '../../../src/apply/entry-write.js';
import { source } from '../../plan/scene.js';
import {
  type ApplyRig,
  applyRig,
  draft,
  entryOf,
  entryWrite,
  loss,
  memoryIntentions,
  NEVER,
  ORDERS,
  UNREACHABLE,
} from '../apply-rig.js';

let rig: ApplyRig;
beforeEach(() => {
  rig = applyRig();
});

const ALLOW = { kind: 'allow' } as const;

/** Removes `web` while another writer changes the entry before each of the first `rounds` requests. */
async function fight(rounds: number, more: Partial<EntryWrite> = {}, signal = NEVER) {
  const from = entryOf('web', 'api');
  const consul = memoryIntentions(from, rig);
  let index = from.modifyIndex;
  let reads = 0;
  consul.before = () => {
    if (consul.requests.length > rounds) return;
    index += 100;
    const sources = [...(consul.entry?.sources ?? []).filter(({ name }) => name !== 'rival')];
    const rival = { ...source('rival', ALLOW), description: `round ${consul.requests.length}` };
    consul.entry = entryAfter(consul.entry, ORDERS, [...sources, rival], index);
  };
  const baseOf = async (_: unknown, isLost: boolean) => {
    reads += Number(isLost);
    return { base: isLost ? consul.entry : from };
  };
  const write = entryWrite([loss('web')], from, rig, { baseOf, ...more });
  const end = await writeEntry(write, consul.port, rig.deps, signal).catch((error: unknown) => error);
  return { end, consul, reads: () => reads };
}

/** As planned at first; after a lost compare-and-set it is for `read` to say. */
const onceKnown =
  (read: () => ReturnType<EntryWrite['baseOf']>): EntryWrite['baseOf'] =>
  (_, isLost) =>
    isLost ? read() : Promise.resolve({ base: entryOf('web', 'api') });

const names = ({ consul }: Awaited<ReturnType<typeof fight>>) =>
  consul.entry?.sources.map(({ name }) => name);
const conflicts = () => rig.counted.filter((each) => each === 'scopemesh_consul_conflicts_total').length;
const records = () => rig.log.filter((line) => line.startsWith('record')).length;

describe('a write beside another writer', () => {
  it('is sent again against what the other one left, with one record and one decision', async () => {
    const fought = await fight(5);
    expect(fought.end).toEqual({ kind: 'done' });
    expect(names(fought)).toEqual(['api', 'rival']);
    expect(fought.consul.entry?.sources.at(-1)?.description).toBe('round 5');
    expect(fought.consul.requests).toHaveLength(6);
    expect([records(), conflicts()]).toEqual([1, 5]);
    expect(rig.settled.map(({ outcome }) => outcome)).toEqual(['applied']);
    expect(rig.pending.size).toBe(0);
  });

  it('gives up after so many requests, and ends without a decision', async () => {
    const fought = await fight(Number.POSITIVE_INFINITY);
    expect(fought.end).toEqual({ kind: 'conflict' });
    expect(fought.consul.requests).toHaveLength(32);
    expect(conflicts()).toBe(32);
    expect([rig.pending.size, rig.settled.length]).toEqual([0, 0]);
    expect(names(fought)).toEqual(['web', 'api', 'rival']);
  });

  it('is not sent again once the plan from the other entry is another one', async () => {
    const fought = await fight(1, { baseOf: onceKnown(async () => undefined) });
    expect(fought.end).toEqual({ kind: 'stale', replaced: [...rig.pending.keys()] });
    expect(fought.consul.requests).toHaveLength(1);
  });

  it('is not sent again if the entry cannot be read', async () => {
    const fought = await fight(1, { baseOf: onceKnown(() => Promise.reject(UNREACHABLE)) });
    expect(fought.end).toMatchObject({ kind: 'conflict' });
    expect(fought.consul.requests).toHaveLength(1);
  });

  it('is not sent again once its run has ended', async () => {
    const stop = new AbortController();
    const baseOf = onceKnown(async () => {
      stop.abort();
      return { base: entryOf('web', 'api') };
    });
    const fought = await fight(5, { baseOf }, stop.signal);
    expect(fought.consul.requests).toHaveLength(1);
    expect(rig.settled).toEqual([]);
  });

  it('is not sent again while an earlier write may be what changed the entry', async () => {
    const fought = await fight(1, { overtaken: [draft('old', rig)] });
    expect(fought.end).toMatchObject({ kind: 'conflict' });
    expect([fought.consul.requests.length, fought.reads()]).toEqual([1, 0]);
  });

  it('whose answer is lost then has drafts that name the entry of the last request', async () => {
    const consul = memoryIntentions({ ...entryOf('web', 'api'), modifyIndex: 8 }, rig);
    consul.before = () => {
      if (consul.requests.length === 2) throw UNREACHABLE;
    };
    const baseOf = onceKnown(async () => ({ base: consul.entry }));
    const write = entryWrite([loss('web')], entryOf('web', 'api'), rig, { baseOf });
    await expect(writeEntry(write, consul.port, rig.deps, NEVER)).rejects.toBe(UNREACHABLE);
    expect([...rig.pending.values()]).toMatchObject([{ expectedIndex: 8, action: 'revoke' }]);
  });
});
