import { beforeEach, describe, expect, it } from 'vitest';
import { type EntryWrite, writeEntry } from '../../src/apply/entry-write.js';
import { parseLastAppliedText } from '../../src/plan/last-applied.js';
import { ALLOW, DENY, NOW, named } from '../plan/scene.js';
import {
  type ApplyRig,
  applyRig,
  CAUSE,
  change,
  denial,
  draft,
  entryOf,
  entryWrite,
  KEY,
  loss,
  memoryIntentions,
  NEVER,
  ORDERS,
  REJECTED,
  sourceOf,
  UNREACHABLE,
} from './apply-rig.js';

let rig: ApplyRig;
beforeEach(() => {
  rig = applyRig();
});

const names = (count: number) => Array.from({ length: count }, (_, at) => `s${String(at).padStart(2, '0')}`);
const outcomes = () =>
  rig.settled.map((each) => `${sourceOf(each)} ${each.outcome} ${each.reason}`).toSorted();

/** Writes the changes to an entry that has these sources. */
async function written(
  changes: EntryWrite['changes'],
  sources: readonly string[],
  more: Partial<EntryWrite> = {},
  refuses: (sources: readonly string[]) => boolean = () => false,
) {
  const from = sources.length === 0 ? undefined : entryOf(...sources);
  const consul = memoryIntentions(from, rig);
  consul.before = (sent) => {
    if (refuses(sent)) throw REJECTED;
  };
  const end = await writeEntry(entryWrite(changes, from, rig, more), consul.port, rig.deps, NEVER).catch(
    (error: unknown) => error,
  );
  return { end, consul };
}

describe('the write of an entry', () => {
  it('makes all changes by one request, whose decisions have one writeId and ids of their own', async () => {
    const { end, consul } = await written([loss('a'), change('b'), change('c')], ['a', 'z']);
    expect(end).toEqual({ kind: 'done' });
    expect(consul.requests).toEqual(['z+b+c']);
    expect(outcomes()).toEqual([
      'a applied ScopeRevoked',
      'b applied ScopeGranted',
      'c applied ScopeGranted',
    ]);
    expect(new Set(rig.settled.map(({ writeId }) => writeId)).size).toBe(1);
    expect(rig.settled[0]?.writeId).toBeTypeOf('string');
    expect(new Set(rig.settled.map(({ id }) => id)).size).toBe(3);
  });

  it('is not read back', async () => {
    const { consul } = await written([loss('a'), change('b')], ['a']);
    expect(consul.reads).toBe(0);
  });

  it('deletes an entry that no source is left of, at the index that it was read at', async () => {
    const { consul } = await written([loss('a')], ['a']);
    expect(consul.requests).toEqual(['delete']);
    expect(consul.entry).toBeUndefined();
  });

  it('records when each part of a refused entry was recorded, for its request may arrive that much later', async () => {
    let now = NOW;
    const consul = memoryIntentions(undefined, rig);
    const recordedAt: (string | undefined)[] = [];
    consul.before = () => {
      recordedAt.push([...rig.pending.values()].at(-1)?.recordedAt);
      now += 9_000;
      if (recordedAt.length === 1) throw REJECTED;
    };
    const deps = { ...rig.deps, clock: { ...rig.deps.clock, now: () => now } };
    await writeEntry(entryWrite([change('a'), change('b')], undefined, rig), consul.port, deps, NEVER);
    const instants = [NOW, NOW + 9_000, NOW + 18_000].map((at) => new Date(at).toISOString());
    expect(recordedAt).toEqual(instants);
  });

  it('records at which index each change was planned, which is how a crash is judged', async () => {
    const from = entryOf('a');
    const consul = memoryIntentions(from, rig);
    consul.before = () => {
      throw UNREACHABLE;
    };
    const write = entryWrite([change('b')], from, rig);
    await expect(writeEntry(write, consul.port, rig.deps, NEVER)).rejects.toBe(UNREACHABLE);
    expect([...rig.pending.values()]).toMatchObject([{ expectedIndex: 7, opensBy: ['orders:read'] }]);
  });

  it('says of each change what goes on after it', async () => {
    const residual = { nextRequests: true } as const;
    const residualOf: EntryWrite['residualOf'] = ({ narrows }) => (narrows ? residual : undefined);
    await written([loss('a'), change('b')], ['a'], { residualOf });
    expect(rig.settled.map((each) => each.residual)).toEqual([residual, undefined]);
  });

  it('gives each change its own cause', async () => {
    const of = (source: string) => ({ ...CAUSE, eventId: source });
    await written([change('a'), change('b')], [], { causeOf: ({ source }) => of(source.name) });
    expect(rig.settled.map(({ cause }) => cause.eventId)).toEqual(['a', 'b']);
  });

  it('updates the state with the new entry and the record of each edge', async () => {
    const entriesWritten: Parameters<EntryWrite['onWritten']>[] = [];
    const onWritten: EntryWrite['onWritten'] = (...args) => void entriesWritten.push(args);
    await written([denial('a'), change('b')], ['a'], { onWritten });
    const [changes, entry, remembered] = entriesWritten[0] ?? [];
    expect(changes?.map(({ source }) => source.name)).toEqual(['a', 'b']);
    expect(entry?.modifyIndex).toBe(8);
    expect(entry?.sources.map(({ name, access }) => [name, access])).toEqual([
      ['a', DENY],
      ['b', ALLOW],
    ]);
    expect(
      [...(remembered ?? [])].map(([subject, text]) => [subject, parseLastAppliedText(text)?.grants]),
    ).toEqual(['a', 'b'].map((source) => [change(source).subject, [{ name: 'orders:read' }]]));
    expect(rig.updates).toEqual([{ lastApplied: remembered }]);
  });

  it('makes its reservation before the record, in the same turn', async () => {
    const reserve = () => {
      rig.log.push('reserve');
      return undefined;
    };
    await written([change('a')], [], { reserve });
    expect(rig.log.slice(0, 2)).toEqual(['reserve', `record ${KEY} a`]);
  });

  it('sends nothing before its reservation is durable', async () => {
    const { end, consul } = await written([change('a')], [], { reserve: () => Promise.reject(UNREACHABLE) });
    expect(end).toBe(UNREACHABLE);
    expect(consul.requests).toEqual([]);
  });

  it('that loses the compare-and-set is planned again, and gives its reservation back', async () => {
    const from = entryOf('a');
    const consul = memoryIntentions({ ...from, modifyIndex: 8 }, rig);
    const givenBack: string[] = [];
    const onNotMade = (changes: EntryWrite['changes']) =>
      void givenBack.push(...changes.map(({ source }) => source.name));
    const write = entryWrite([loss('a')], from, rig, { onNotMade });
    const end = await writeEntry(write, consul.port, rig.deps, NEVER);
    expect(end).toEqual({ kind: 'stale', replaced: [...rig.pending.keys()] });
    expect(rig.pending.size).toBe(1);
    expect(outcomes()).toEqual([]);
    expect(givenBack).toEqual(['a']);
    expect(rig.counted).toEqual(['scopemesh_consul_conflicts_total']);
  });

  it.each([1, 2])(
    'that is no longer as planned names the drafts that the next record is to replace: %s',
    async (count) => {
      const givenBack: unknown[] = [];
      const changes = names(count).map((name) => change(name));
      const { end, consul } = await written(changes, [], {
        baseOf: async () => undefined,
        onNotMade: (parts) => void givenBack.push(...parts),
      });
      expect(end).toEqual({ kind: 'stale', replaced: [...rig.pending.keys()] });
      expect(rig.pending.size).toBe(count);
      expect(consul.requests).toEqual([]);
      expect(givenBack).toHaveLength(count);
    },
  );

  it('takes the place of what an earlier plan recorded', async () => {
    const old = draft('old', rig);
    await rig.deps.journal.record(KEY, [old]);
    await written([change('a')], [], { replaced: [old.id] });
    expect(rig.pending.size).toBe(0);
  });

  it('whose answer is not known gives nothing back: it may have been made', async () => {
    const from = entryOf('a');
    const consul = memoryIntentions(from, rig);
    consul.before = () => {
      throw UNREACHABLE;
    };
    let isGivenBack = false;
    const onNotMade = () => {
      isGivenBack = true;
    };
    await expect(
      writeEntry(entryWrite([loss('a')], from, rig, { onNotMade }), consul.port, rig.deps, NEVER),
    ).rejects.toBe(UNREACHABLE);
    expect(isGivenBack).toBe(false);
    expect(rig.pending.size).toBe(1);
  });
});

describe('an entry that Consul refuses', () => {
  const refusing = (bad: string) => (sources: readonly string[]) => sources.includes(bad);

  it.each(names(16))('for one bad edge of 16 gets the 15 others: bad is %s', async (bad) => {
    const all = names(16).map((name) => change(name));
    const { end, consul } = await written(all, [], {}, refusing(bad));
    expect(end).toBe(REJECTED);
    expect(consul.entry?.sources.map(({ name }) => name).toSorted()).toEqual(
      names(16).filter((name) => name !== bad),
    );
    expect(outcomes()).toEqual(
      names(16).map((name) => `${name} ${name === bad ? 'failed ConsulRefused' : 'applied ScopeGranted'}`),
    );
    expect(rig.pending.size).toBe(0);
    // The whole, and at each halving the half that is refused and the one that is not.
    expect(consul.requests.length).toBeLessThanOrEqual(9);
  });

  it('is first rid of what narrows, before any part that widens', async () => {
    const changes = [loss('lost'), denial('denied'), ...names(4).map((name) => change(name))];
    const { consul } = await written(changes, ['lost', 'denied'], {}, refusing('s03'));
    expect(consul.requests.slice(0, 2)).toEqual(['denied+s00+s01+s02+s03', 'denied']);
    expect(consul.entry?.sources.map(({ name }) => name)).toEqual(['denied', 's00', 's01', 's02']);
  });

  it('for what narrows still gets the rest', async () => {
    const isBad = (sources: readonly string[]) => !sources.includes('stuck');
    const changes = [loss('lost'), loss('stuck'), change('new')];
    const { end, consul } = await written(changes, ['lost', 'stuck'], {}, isBad);
    expect(end).toBe(REJECTED);
    expect(consul.entry?.sources.map(({ name }) => name)).toEqual(['stuck', 'new']);
    expect(outcomes()).toEqual([
      'lost applied ScopeRevoked',
      'new applied ScopeGranted',
      'stuck failed ConsulRefused',
    ]);
  });

  it('for every edge settles each as refused, once, and throws the first refusal', async () => {
    const { end } = await written(
      names(5).map((name) => change(name)),
      [],
      {},
      () => true,
    );
    expect(end).toBe(REJECTED);
    expect(outcomes()).toEqual(names(5).map((name) => `${name} failed ConsulRefused`));
    expect(rig.pending.size).toBe(0);
  });

  it('is split into parts with a writeId each, whose drafts replace those of the whole', async () => {
    await written(
      names(4).map((name) => change(name)),
      [],
      {},
      refusing('s00'),
    );
    const parts = new Map<string | undefined, string>();
    for (const each of rig.settled)
      parts.set(each.writeId, `${parts.get(each.writeId) ?? ''}${sourceOf(each)} `);
    expect([...parts.values()]).toEqual(['s00 ', 's01 ', 's02 s03 ']);
  });

  it('never has more recorded than the part that is on its way', async () => {
    const recorded: number[] = [];
    const from = undefined;
    const consul = memoryIntentions(from, rig);
    consul.before = (sources) => {
      recorded.push(rig.pending.size);
      if (sources.includes('s00')) throw REJECTED;
    };
    const write = entryWrite(
      names(8).map((name) => change(name)),
      from,
      rig,
    );
    await expect(writeEntry(write, consul.port, rig.deps, NEVER)).rejects.toBe(REJECTED);
    expect(recorded).toEqual([8, 4, 2, 1, 1, 2, 4]);
  });

  it('stops between its parts when the key is touched, and leaves nothing recorded', async () => {
    const { end, consul } = await written(
      names(4).map((name) => change(name)),
      [],
      { isTouched: () => true },
      refusing('s03'),
    );
    expect(end).toEqual({ kind: 'again' });
    expect(consul.entry?.sources.map(({ name }) => name)).toEqual(['s00', 's01']);
    expect(rig.pending.size).toBe(0);
    expect(outcomes()).toEqual(['s00 applied ScopeGranted', 's01 applied ScopeGranted']);
  });

  it('is read again between its parts: where somebody else wrote meanwhile, the rest is planned again', async () => {
    const consul = memoryIntentions(undefined, rig);
    let writes = 0;
    consul.before = (sources) => {
      if (sources.includes('s03')) throw REJECTED;
      writes++;
    };
    const onWritten = () => {
      const { entry } = consul;
      if (writes === 1 && entry !== undefined)
        consul.entry = { ...entry, sources: [...entry.sources, ...entryOf('foreign').sources] };
    };
    const write = entryWrite(
      names(4).map((name) => change(name)),
      undefined,
      rig,
      { onWritten },
    );
    expect(await writeEntry(write, consul.port, rig.deps, NEVER)).toEqual({ kind: 'again' });
    expect(consul.entry?.sources.map(({ name }) => name)).toEqual(['s00', 's01', 'foreign']);
    expect(rig.pending.size).toBe(0);
  });

  it('asks of each part alone whether it is as planned', async () => {
    const asked: string[] = [];
    const baseOf = async (changes: EntryWrite['changes']) => {
      asked.push(changes.map(({ source }) => source.name).join('+'));
      return { base: undefined };
    };
    await written([change('a'), change('b')], [], { baseOf }, refusing('b'));
    expect(asked).toEqual(['a+b', 'a', 'b']);
  });

  it('that is stale after a part was written has no drafts for the next plan, which reads the entry', async () => {
    // The whole is, and so is the first part.
    const baseOf = async (changes: EntryWrite['changes']) =>
      changes.length === 2 || changes[0]?.source.name === 'a' ? { base: undefined } : undefined;
    const { end } = await written([change('a'), change('b')], [], { baseOf }, refusing('b'));
    expect(end).toEqual({ kind: 'again' });
    expect(rig.pending.size).toBe(0);
    expect(outcomes()).toEqual(['a applied ScopeGranted']);
  });

  it('gives back the reservation of every part that was not made, and takes one for each part', async () => {
    const [taken, back]: [string[], string[]] = [[], []];
    const text = (changes: EntryWrite['changes']) => changes.map(({ source }) => source.name).join('+');
    await written(
      [loss('a'), loss('b')],
      ['a', 'b', 'c'],
      {
        reserve: (changes) => {
          taken.push(text(changes));
          return undefined;
        },
        onNotMade: (changes) => void back.push(text(changes)),
      },
      (sources) => !sources.includes('b'),
    );
    expect(taken).toEqual(['a+b', 'a', 'b']);
    expect(back).toEqual(['a+b', 'b']);
  });

  it('that becomes unreachable between its parts leaves only the part that is on its way', async () => {
    const consul = memoryIntentions(undefined, rig);
    consul.before = (sources) => {
      throw sources.length === 4 ? REJECTED : UNREACHABLE;
    };
    const write = entryWrite(
      names(4).map((name) => change(name)),
      undefined,
      rig,
    );
    await expect(writeEntry(write, consul.port, rig.deps, NEVER)).rejects.toBe(UNREACHABLE);
    expect([...rig.pending.values()].map(sourceOf)).toEqual(['s00', 's01']);
    expect(rig.settled).toEqual([]);
  });
});

describe('the destination of a write', () => {
  it('is what Consul is asked for, and nothing else', async () => {
    const asked: unknown[] = [];
    const consul = memoryIntentions(undefined, rig);
    const port = {
      ...consul.port,
      write: (...args: Parameters<typeof consul.port.write>) => {
        asked.push(args[0], args[3]);
        return consul.port.write(...args);
      },
    };
    await writeEntry(entryWrite([change('web')], undefined, rig), port, rig.deps, NEVER);
    expect(asked).toEqual([ORDERS, 0]);
    expect(ORDERS).toEqual(named('orders'));
  });
});
