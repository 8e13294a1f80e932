import { describe, expect, test } from 'vitest';
import type { IntentionEntry } from '../../src/model/intention.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { inferredAcrossFleet, inputOf } from '../../src/state/fleet.js';
import { RevocationWindow } from '../../src/state/revocation-window.js';
import type { Touched } from '../../src/state/touched.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entry,
  mapping,
  NOW,
  named,
  ourSource,
  rule,
  SETTINGS,
} from '../plan/scene.js';
import { countOperations } from './operations.js';

const SIZES = [100, 10_000, 100_000] as const;
/** Each client opens this many destinations, and each destination has about as many sources. */
const REACH = 2;

const scopesOf = (at: number, size: number) =>
  Array.from({ length: REACH }, (_, step) => `d${(at + step) % size}:read`);
const idOf = (at: number) => ({ provider: 'main', clientId: `c${at}` });
const entryOf = (at: number, size: number): IntentionEntry =>
  entry(
    `d${at}`,
    ...Array.from({ length: REACH }, (_, step) => {
      const source = (at - step + size) % size;
      return ourSource(`s${source}`, ALLOW, `c${source}`);
    }),
  );

interface Fleet {
  readonly world: WorldState;
  readonly window: RevocationWindow;
  readonly size: number;
}

/** Everything is as it should be: nothing is to do. */
function fleetOf(size: number): Fleet {
  const world = new WorldState(mapping({ rules: [rule('{service}:read', '{service}')] }), SETTINGS);
  const at = Array.from({ length: size }, (_, index) => index);
  const clients = at.map((each) =>
    client(`c${each}`, scopesOf(each, size), {
      internalId: `uuid-${each}`,
      attributes: { 'consul-services': `s${each}` },
    }),
  );
  world.putDirectory('main', clients, world.beginRead(), NOW);
  world.putEntries(
    at.map((each) => entryOf(each, size)),
    NOW,
  );
  const services = at.map((each) => claiming(`s${each}`, `c${each}`));
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  const window = new RevocationWindow(600_000);
  inferredAcrossFleet(world, window, NOW);
  return { world, window, size };
}

/** What follows from every update: plans of what is touched, and the count of the mass guard. */
function plan(touched: Touched, { world, window }: Fleet): void {
  for (const { destination } of touched.destinations.values())
    planDestination(inputOf(world, destination, NOW));
  inferredAcrossFleet(world, window, NOW);
}

const EVENTS: readonly (readonly [string, (fleet: Fleet) => Touched])[] = [
  [
    'a client that loses a scope',
    ({ world, size }) => {
      const known = world.clients('main').get('c7');
      return world.putClient(
        idOf(7),
        known && {
          ...known,
          grants: scopesOf(7, size)
            .slice(1)
            .map((name) => ({ name })),
        },
        world.beginRead(),
      );
    },
  ],
  ['a client that is gone', ({ world }) => world.putClient(idOf(8), undefined, world.beginRead())],
  [
    'a client that comes',
    ({ world }) => world.putClient(idOf(-1), client('c-1', ['d5:read']), world.beginRead()),
  ],
  ['a quarantine', ({ world }) => world.setClientBlock(idOf(9), 'ClientQuarantined')],
  [
    'an entry that somebody changed',
    ({ world }) =>
      world.putEntry(named('d3'), { ...entry('d3', ourSource('s3', DENY, 'c3')), modifyIndex: 9 }),
  ],
  [
    'a claim that is recorded',
    ({ world }) => world.putClaimRecords([{ ...idOf(4), service: named('s4'), modifyIndex: 1 }]),
  ],
  ['a look at graces of which none ends', ({ world }) => world.expireGraces(NOW + 1)],
  [
    'an id at the identity provider that is looked up',
    ({ world }) => {
      expect(world.directories.clientIdOf('main', 'uuid-50')).toBe('c50');
      return world.expireGraces(NOW);
    },
  ],
];

describe('the work of one event does not grow with the fleet', () => {
  const counts = new Map<string, number[]>();
  for (const size of SIZES) {
    test(`${size} clients`, () => {
      const fleet = fleetOf(size);
      for (const [name, update] of EVENTS) {
        const count = countOperations(() => plan(update(fleet), fleet));
        counts.set(name, [...(counts.get(name) ?? []), count]);
      }
    }, 300_000);
  }

  test.each(EVENTS.map(([name]) => name))('%s', (name) => {
    const [least = 0, ...more] = counts.get(name) ?? [];
    expect(more).toHaveLength(SIZES.length - 1);
    for (const count of more) expect(count).toBeLessThanOrEqual(1.5 * least);
  });
});
