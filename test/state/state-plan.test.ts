import { describe, expect, it } from 'vitest';
import type { DestinationInput } from '../../src/plan/destination-input.js';
import { hasSameFacts, isPlannedAgain, isPlannedNow, planByState } from '../../src/state/state-plan.js';
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
function lost(given: Partial<DestinationInput> = {}) {
  const world = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
  const put = (clientId: string, ...scopes: readonly string[]) =>
    world.putClient({ provider: 'main', clientId }, client(clientId, scopes), world.beginRead());
  world.putDirectory('main', [client('web', []), client('api', ['orders'])], world.beginRead(), NOW);
  world.putEntries([entry('orders', ourSource('web', ALLOW), ourSource('api', ALLOW))], NOW);
  const services = ['web', 'api', 'db'].map((name) => claiming(name, name));
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  const made = planByState(world, ORDERS, given, NOW);
  return {
    ...{ world, made, put },
    isNow: () => isPlannedNow(made.plan.changes, made, world, NOW),
    isAgain: () => isPlannedAgain(made, made.plan, world, NOW),
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
  it('is that of the state, beside what the job knows better', () => {
    expect(lost().made.plan.changes).toMatchObject([{ source: named('web'), after: undefined }]);
    expect(lost({ entry: undefined }).made.plan.changes).toMatchObject([
      { source: named('api'), after: ALLOW },
    ]);
  });

  it('has the same facts while nothing changes but the entry', () => {
    const { world, made, isNow, isAgain } = lost();
    world.putEntry(ORDERS, entry('orders', ourSource('api', ALLOW)));
    expect([hasSameFacts(made, world), isNow(), isAgain()]).toEqual([true, true, true]);
  });

  it.each(FACTS)(
    'has other facts, and is still the same, once %s changes that does not concern it',
    (_, happen) => {
      const of = lost();
      happen(of);
      expect(hasSameFacts(of.made, of.world)).toBe(false);
      expect([of.isNow(), of.isAgain()]).toEqual([true, true]);
    },
  );

  it('is planned no longer once what it removes must be denied', () => {
    const { world, isNow, isAgain } = lost();
    world.putEntry(EVERY, WIDE);
    expect([isNow(), isAgain()]).toEqual([false, false]);
  });

  it('is planned no longer once it must close more', () => {
    const { put, isNow, isAgain } = lost();
    put('api');
    expect([isNow(), isAgain()]).toEqual([false, false]);
  });

  it('may be written as a part once it opens more, and is another', () => {
    const { put, isNow, isAgain } = lost();
    put('db', 'orders');
    expect([isNow(), isAgain()]).toEqual([true, false]);
  });

  it('is planned again from what the job knows better', () => {
    const opening = lost({ entry: undefined, evidence: [{ provider: 'main', clients: ['web'] }] });
    opening.put('other');
    expect([opening.isNow(), opening.isAgain()]).toEqual([true, true]);
  });

  it('is planned again with the wildcard entry that the job has read, until the watch shows another', () => {
    const { world, put, made, isNow, isAgain } = lost({ wildcard: WIDE });
    expect(made.plan.changes).toMatchObject([{ source: named('web'), after: { kind: 'deny' } }]);
    put('other');
    expect([isNow(), isAgain()]).toEqual([true, true]);
    world.putEntry(EVERY, entry('*', source('else', ALLOW)));
    expect(isAgain()).toBe(false);
  });
});
