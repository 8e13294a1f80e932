import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientKey, destinationKey } from '../../src/model/key.js';
import { AgendaEntry } from '../../src/queue/agenda-entry.js';
import { Turns } from '../../src/queue/turns.js';

type Client = readonly [provider: string, clientId: string];
const cause = { kind: 'webhook', receivedAt: '2026-01-01T00:00:00Z' } as const;

/** A destination that these clients touch. */
function destination(name: string, ...clients: readonly Client[]): AgendaEntry {
  const key = destinationKey(name);
  const entry = new AgendaEntry(key, name);
  entry.triggers = clients.map(([provider, clientId]) => ({ key, cause, client: { provider, clientId } }));
  return entry;
}

function read([provider, clientId]: Client): AgendaEntry {
  return new AgendaEntry(clientKey(provider, clientId), clientId);
}

function turnsOf(entries: readonly AgendaEntry[], isKnown = (_: string) => true) {
  const turns = new Turns(({ client }) => isKnown(client));
  for (const entry of entries) turns.put(entry);
  const take = (most = Number.POSITIVE_INFINITY) => {
    const taken: string[] = [];
    while (taken.length < most) {
      const entry = turns.take();
      if (entry === undefined) break;
      taken.push(entry.text);
    }
    return taken;
  };
  return { turns, take };
}

const many = (count: number, at: (index: number) => AgendaEntry) =>
  Array.from({ length: count }, (_, i) => at(i));

describe('writes take turns by client', () => {
  it('so that one that needs one write is never behind three thousand of another', () => {
    const { turns, take } = turnsOf(many(3_000, (i) => destination(`a${i}`, ['main', 'a'])));
    take(10);
    turns.put(destination('b', ['main', 'b']));
    expect(take(2)).toContain('b');
    expect(take()).toHaveLength(2_989);
  });

  it('and by provider, so that one of another provider is not behind three thousand clients', () => {
    const { turns, take } = turnsOf(many(3_000, (i) => destination(`a${i}`, ['main', `a${i}`])));
    take(10);
    turns.put(destination('b', ['other', 'b']));
    expect(take(2)).toContain('b');
  });

  it('and drift, which no client caused, has a turn of its own', () => {
    const { turns, take } = turnsOf(many(3_000, (i) => destination(`drift${i}`)));
    turns.put(destination('b', ['main', 'b']));
    expect(take(2)).toEqual(['drift0', 'b']);
  });

  it('and one that several clients touch goes with the one whose turn comes first, once', () => {
    const shared = destination('shared', ['main', 'a'], ['main', 'b']);
    const { take } = turnsOf([...many(20, (i) => destination(`a${i}`, ['main', 'a'])), shared]);
    expect(take(2)).toEqual(['a0', 'shared']);
    expect(take()).not.toContain('shared');
  });

  it('and more triggers of another client do not put it back', () => {
    const busy = destination('busy', ['main', 'b']);
    const { turns, take } = turnsOf([busy, ...many(20, (i) => destination(`c${i}`, ['main', `c${i}`]))]);
    busy.triggers = [...busy.triggers, ...destination('busy', ['main', 'a']).triggers];
    turns.put(busy);
    expect(turns.oldest?.text).toBe('c0');
    expect(take(1)).toEqual(['busy']);
  });

  it('and each client waits for few turns of each other one, whatever each has', () => {
    const counts = fc.array(
      fc.record({ provider: fc.nat(3), client: fc.nat(9), writes: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(counts, (all) => {
        const entries = all.flatMap(({ provider, client, writes }, at) =>
          many(writes, (i) => destination(`${at}/${i}`, [`p${provider}`, `c${client}`])),
        );
        const { turns, take } = turnsOf(entries);
        turns.put(destination('one', ['p0', 'new']));
        const taken = take();
        const providers = new Set(all.map(({ provider }) => provider)).size + 1;
        const clients = new Set(all.flatMap((each) => (each.provider === 0 ? each.client : []))).size + 1;
        expect(taken.indexOf('one')).toBeLessThan(2 * providers * clients);
        expect(taken.toSorted()).toEqual([...entries.map(({ text }) => text), 'one'].toSorted());
        expect(turns.oldest).toBeUndefined();
      }),
    );
  });
});

describe('reads take turns by client', () => {
  const burst = many(1_000, (i) => read(['main', `c${i}`]));

  it('and a client seen for the first time goes before those that are read again', () => {
    const { turns, take } = turnsOf(burst);
    take(999);
    for (const entry of burst.slice(0, 999)) turns.put(entry);
    take(1);
    turns.put(read(['main', 'new']));
    expect(take(2)).toContain('new');
  });

  it('and new clients without end do not hold back one that is read again', () => {
    const { turns, take } = turnsOf([...burst.slice(0, 2)]);
    take(1);
    turns.put(burst[0] ?? read(['main', 'c0']));
    for (const entry of many(1_000, (i) => read(['main', `new${i}`]))) turns.put(entry);
    expect(take(3)).toContain('c0');
  });

  it('and IDs that do not exist hold back neither a new client nor one that is read again', () => {
    const isKnown = (client: string) => !client.startsWith('made-up');
    const { turns, take } = turnsOf(
      many(1_000, (i) => read(['main', `made-up${i}`])),
      isKnown,
    );
    take(10);
    for (const name of ['again', 'new']) turns.put(read(['main', name]));
    expect(take(4)).toEqual(expect.arrayContaining(['again', 'new']));
    turns.put(read(['main', 'again']));
    expect(take(3)).toContain('again');
  });

  it('and all clients are new again once nothing waits', () => {
    const { turns, take } = turnsOf([read(['main', 'a'])]);
    take();
    for (const name of ['b', 'a', 'c']) turns.put(read(['main', name]));
    expect(take()).toEqual(['b', 'a', 'c']);
  });
});

it('an entry that is taken out elsewhere leaves no turn behind', () => {
  const entry = destination('shared', ['main', 'a'], ['other', 'b']);
  const { turns, take } = turnsOf([entry]);
  turns.delete(entry);
  expect(turns.has(entry)).toBe(false);
  expect(take()).toEqual([]);
});
