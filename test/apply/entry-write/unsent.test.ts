import { expect, it } from 'vitest';
import { type EntryWrite, writeEntry } from '../../../src/apply/entry-write.js';
import { applyRig, entryOf, entryWrite, loss, memoryIntentions, NEVER, UNREACHABLE } from '../apply-rig.js';

it.each(['record', 'reserve'] as const)(
  'a write whose %s fails is not sent: it gives its reservation back and leaves no draft',
  async (failing) => {
    const rig = applyRig();
    const from = entryOf('a');
    const consul = memoryIntentions(from, rig);
    const back: EntryWrite['changes'][] = [];
    const { journal } = rig.deps;
    let records = 0;
    const record: typeof journal.record = async (...args) => {
      await journal.record(...args);
      // The answer is lost, and the record was made.
      if (failing === 'record' && ++records === 1) throw UNREACHABLE;
    };
    const reserve = () => (failing === 'reserve' ? Promise.reject(UNREACHABLE) : undefined);
    const more = { reserve, onNotMade: (changes: EntryWrite['changes']) => void back.push(changes) };
    const write = entryWrite([loss('a')], from, rig, more);
    const deps = { ...rig.deps, journal: { ...journal, record } };
    await expect(writeEntry(write, consul.port, deps, NEVER)).rejects.toBe(UNREACHABLE);
    expect(consul.requests).toEqual([]);
    expect(rig.pending.size).toBe(0);
    expect(back).toHaveLength(1);
  },
);
