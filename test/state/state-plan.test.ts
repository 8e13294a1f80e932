import { describe, expect, it } from 'vitest';
import type { DestinationInput } from '../../src/plan/destination-input.js';
import { serviceText } from '../../src/plan/world.js';
import {
  type EntryNow,
  hasSameFacts,
  isPlannedNow,
  knownNow,
  planByState,
} from '../../src/state/state-plan.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  entry,
  mapping,
  NOW,
  named,
  ourSource,
  rule,
  SETTINGS,
  source,
} from '../plan/scene.js';

const ORDERS = named('orders');
const EVERY = named('*');
/** With it, a removed source `web` would still be let in, so it stays as a deny. */
const WIDE = entry('*', source('web', ALLOW));

/** Service `web` has lost its access to `orders`, and `api` keeps it. */
function lost({
  evidence = [],
  ...read
}: Pick<Partial<DestinationInput>, 'evidence'> & Partial<EntryNow> = {}) {
  const world = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
  const put = (clientId: string, ...scopes: readonly string[]) =>
    world.putClient({ provider: 'main', clientId }, client(clientId, scopes), world.beginRead());
  world.putDirectory('main', [client('web', []), client('api', ['orders'])], world.beginRead(), NOW);
  world.putEntries([entry('orders', ourSource('web', ALLOW), ourSource('api', ALLOW))], NOW);
  const services = ['web', 'api', 'db'].map((name) => claiming(name, name));
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  const known = { ...knownNow(world, ORDERS, world.entries.get(serviceText(ORDERS))), ...read };
  const made = planByState(world, ORDERS, known, { evidence }, NOW);
  return {
    ...{ world, made, put, known },
    isNow: (from: Partial<EntryNow> = {}) =>
      isPlannedNow(made.plan.changes, made, { ...known, ...from }, world, NOW),
  };
}

const FACTS: readonly (readonly [string, (of: ReturnType<typeof lost>) => unknown])[] = [
  ['a client', ({ put }) => put('other', 'orders')],
  [
    'what the tokens of users need',
    ({ world }) => world.userTokens.putVersion('1.20', [], world.beginRead()),
  ],
  ['the wildcard entry', ({ world }) => world.putEntry(EVERY, entry('*', source('else', ALLOW)))],
];

describe('a plan of a destination', () => {
  it('is the plan of the state, beside what the job knows better', () => {
    expect(lost().made.plan.changes).toMatchObject([{ source: named('web'), after: undefined }]);
    expect(lost({ entry: undefined }).made.plan.changes).toMatchObject([
      { source: named('api'), after: ALLOW },
    ]);
  });

  it('has the same facts while nothing changes but the entry', () => {
    const { world, made, isNow } = lost();
    world.putEntry(ORDERS, entry('orders', ourSource('api', ALLOW)));
    expect([hasSameFacts(made, world, NOW), isNow()]).toEqual([true, true]);
  });

  it.each(FACTS)(
    'has other facts, and is still the same, once %s changes that does not concern it',
    (_, happen) => {
      const of = lost();
      happen(of);
      expect(hasSameFacts(of.made, of.world, NOW)).toBe(false);
      expect(of.isNow()).toBe(true);
    },
  );

  it('is planned no longer once what it removes must be denied', () => {
    const { world, isNow } = lost();
    world.putEntry(EVERY, WIDE);
    expect(isNow()).toBe(false);
  });

  it('is planned no longer once it must close more', () => {
    const { put, isNow } = lost();
    put('api');
    expect(isNow()).toBe(false);
  });

  it('may be written as a part once it opens more', () => {
    const { put, isNow } = lost();
    put('db', 'orders');
    expect(isNow()).toBe(true);
  });

  it('is planned again from what the job knows better', () => {
    const opening = lost({ entry: undefined, evidence: [{ provider: 'main', clients: ['web'] }] });
    opening.put('other');
    expect(opening.isNow()).toBe(true);
  });

  it('is planned again with the wildcard entry that the job has read, until the watch shows another', () => {
    const { world, put, made, isNow } = lost({ wildcard: WIDE });
    expect(made.plan.changes).toMatchObject([{ source: named('web'), after: { kind: 'deny' } }]);
    put('other');
    expect(isNow()).toBe(true);
    world.putEntry(EVERY, entry('*', source('else', ALLOW)));
    expect(isNow()).toBe(false);
  });

  it('is planned no longer if Consul has a wildcard entry that lets in what it removes', () => {
    expect(lost().isNow({ wildcard: WIDE })).toBe(false);
  });

  it('is planned from another entry if that needs the same changes, and nothing else', () => {
    const foreign = { ...source('cron', ALLOW), description: '' };
    const beside = entry('orders', ourSource('web', ALLOW), ourSource('api', ALLOW), foreign);
    const { isNow } = lost();
    expect(isNow({ entry: { ...beside, modifyIndex: 99 } })).toBe(true);
    expect(isNow({ entry: { ...entry('orders', foreign), modifyIndex: 99 } })).toBe(false);
    // Another writer took `api` away, which no watch will report any more.
    const fewer = entry('orders', ourSource('web', ALLOW), foreign);
    expect(isNow({ entry: { ...fewer, modifyIndex: 99 } })).toBe(false);
    const more = entry('orders', ...beside.sources, ourSource('gone', ALLOW));
    expect(isNow({ entry: { ...more, modifyIndex: 99 } })).toBe(false);
  });

  it.each([
    ['the mapping', (world: WorldState) => world.setMapping({ ...world.mapping })],
    ['a freeze', (world: WorldState) => world.freezes.set([{ kind: 'started', since: 0 }])],
  ])('is for the guards again once %s is another', (_, happen) => {
    const { world, isNow } = lost();
    happen(world);
    expect(isNow()).toBe(false);
  });
});
