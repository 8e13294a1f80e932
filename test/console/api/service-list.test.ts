import { expect, it } from 'vitest';
import type { ServiceRow } from '../../../src/console/answers.js';
import { edgeOf, serviceRows } from '../../../src/console/api/service-list.js';
import { intentionSubject } from '../../../src/plan/plan.js';
import { WorldState } from '../../../src/state/world-state.js';
import { ALLOW, claiming, DENY, entry, mapping, NOW, named, SETTINGS, source } from '../../plan/scene.js';

const HERE = { consul: {} } as Parameters<typeof serviceRows>[2];

function rowsOf(world: WorldState, holds: Parameters<typeof serviceRows>[1] = []): readonly ServiceRow[] {
  const work = serviceRows(world, holds, HERE);
  for (;;) {
    const { done, value } = work.next();
    if (done) return value.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }
}

it('counts the intentions that allow something, at both ends, and the holds of an edge', () => {
  const world = new WorldState(mapping(), SETTINGS);
  const services = [claiming('web', 'web'), claiming('Orders', ''), claiming('idle', '')];
  world.putCatalog({ services, protocols: new Map([['orders', 'grpc']]), defaultProtocol: 'http' }, NOW);
  world.putEntries(
    [
      entry('orders', source('web', ALLOW), source('other', DENY), source('*', ALLOW)),
      entry('billing', source('web', { kind: 'other' }), source('web', ALLOW, '', { peer: 'east' })),
    ],
    NOW,
  );
  const hold = { subject: intentionSubject(named('orders'), 'idle'), reason: 'ForeignSource' } as const;
  const other = { subject: 'client/main/web', reason: 'ClientQuarantined' } as const;
  expect(rowsOf(world, [hold, other])).toEqual([
    { name: '*', callers: 0, calls: 1, held: 0, protocol: 'http' },
    { name: 'Orders', callers: 2, calls: 0, held: 1, protocol: 'grpc' },
    { name: 'billing', callers: 2, calls: 0, held: 0, protocol: 'http' },
    { name: 'idle', callers: 0, calls: 0, held: 1, protocol: 'http' },
    { name: 'web', callers: 0, calls: 2, held: 0, protocol: 'http' },
  ]);
});

it('does not name a protocol before the catalog was read', () => {
  const world = new WorldState(mapping(), SETTINGS);
  world.putEntries([entry('orders', source('web', ALLOW))], NOW);
  expect(rowsOf(world).map(({ protocol }) => protocol)).toEqual([null, null]);
});

it('gives a name in another place with the place', () => {
  const world = new WorldState(mapping(), SETTINGS);
  const elsewhere = { ...named('web'), namespace: 'team' };
  world.putCatalog(
    { services: [{ name: elsewhere, instances: [] }], protocols: new Map(), defaultProtocol: 'tcp' },
    NOW,
  );
  expect(rowsOf(world)).toMatchObject([{ name: 'default/team/web', protocol: 'tcp' }]);
});

it('gives way to other work in a large mesh', () => {
  const world = new WorldState(mapping(), SETTINGS);
  const entries = Array.from({ length: 300 }, (_, at) =>
    entry(`to-${at}`, ...Array.from({ length: 10 }, (_none, from) => source(`from-${from}`, ALLOW))),
  );
  world.putEntries(entries, NOW);
  let pieces = 0;
  for (const _ of serviceRows(world, [], HERE)) pieces++;
  expect(pieces).toBeGreaterThanOrEqual(3);
});

it('a hold of something else than an edge has no services', () => {
  expect(edgeOf({ subject: 'acl-role/x', reason: 'ForeignObject' })).toEqual([]);
});
