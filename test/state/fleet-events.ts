import assert from 'node:assert/strict';
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

/** Clients below this number are those that events are about. They open two destinations, every other client one. */
const EVENTFUL = 50;

const destinationsOf = (at: number) => (at < EVENTFUL ? [at, at + 1] : [at]);
const scopesOf = (at: number) => destinationsOf(at).map((each) => `d${each}:read`);
const idOf = (at: number) => ({ provider: 'main', clientId: `c${at}` });
const entryOf = (at: number): IntentionEntry => {
  const sources = [at, at - 1].filter((source) => destinationsOf(source).includes(at) && source >= 0);
  return entry(`d${at}`, ...sources.map((source) => ourSource(`s${source}`, ALLOW, `c${source}`)));
};

export interface Fleet {
  readonly world: WorldState;
  readonly window: RevocationWindow;
}

/** Everything is as it should be: nothing is to do. The clients after the first `withServices` have scopes alone. */
export function fleetOf(size: number, withServices = size): Fleet {
  const world = new WorldState(mapping({ rules: [rule('{service}:read', '{service}')] }), SETTINGS);
  const clients = Array.from({ length: size }, (_, each) =>
    client(`c${each}`, scopesOf(each), {
      internalId: `uuid-${each}`,
      attributes: each < withServices ? { 'consul-services': `s${each}` } : {},
    }),
  );
  world.putDirectory('main', clients, world.beginRead(), NOW);
  const at = Array.from({ length: withServices }, (_, index) => index);
  world.putEntries(at.map(entryOf), NOW);
  const services = at.map((each) => claiming(`s${each}`, `c${each}`));
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  const window = new RevocationWindow(600_000);
  inferredAcrossFleet(world, window, NOW);
  return { world, window };
}

/** What follows from every update: plans of what is touched, and the count of the mass guard. */
export function plan(touched: Touched, { world, window }: Fleet): void {
  for (const { destination } of touched.destinations.values())
    planDestination(inputOf(world, destination, NOW));
  inferredAcrossFleet(world, window, NOW);
}

export const EVENTS: readonly (readonly [string, (fleet: Fleet) => Touched])[] = [
  [
    'a client that loses a scope',
    ({ world }) => {
      const known = world.clients('main').get('c7');
      return world.putClient(
        idOf(7),
        known && {
          ...known,
          grants: scopesOf(7)
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
  [
    'a fact about tokens of users that no rule requires',
    ({ world }) => {
      world.userTokens.putVersion('1.18.0', [], world.beginRead());
      return world.expireGraces(NOW);
    },
  ],
  ['a look at graces of which none ends', ({ world }) => world.expireGraces(NOW + 1)],
  [
    'an id at the identity provider that is looked up',
    ({ world }) => {
      assert.equal(world.directories.clientIdOf('main', 'uuid-50'), 'c50');
      return world.expireGraces(NOW);
    },
  ],
];
