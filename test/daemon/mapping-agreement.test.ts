import { expect, it } from 'vitest';
import { MappingAgreement } from '../../src/daemon/mapping-agreement.js';
import type { OwnMapping, Replica } from '../../src/model/replica.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const replica = (name: string, revision: string, readAt: string): Replica => ({
  replica: name,
  host: name,
  address: null,
  version: '1',
  startedAt: readAt,
  parts: [],
  mapping: { mode: 'enforce', revision, readAt },
});
const [EARLY, LATE] = ['2026-03-01T10:00:00.000Z', '2026-03-01T11:00:00.000Z'];

/** A leader with the mapping `b` after one with the mapping `a`. */
function scene(mapping: Partial<OwnMapping> = {}) {
  const world = worldWithTwo();
  const values = new Map([
    ['mapping-in-force', JSON.stringify({ revision: 'a', readAt: EARLY, seenAt: LATE })],
  ]);
  const { deps } = depsOf(world, {});
  const keyValues = {
    ...deps.keyValues,
    get: async (name: string) => values.get(name),
    set: async (name: string, value: string) => void values.set(name, value),
  };
  const replicas: Replica[] = [];
  const roster = { list: async () => replicas.map((each) => ({ ...each, seenMs: 0 })) };
  const own: OwnMapping = { mode: 'enforce', revision: 'b', readAt: EARLY, ...mapping };
  const state = { own };
  const agreement = new MappingAgreement({
    deps: { ...deps, keyValues },
    roster,
    own: () => state.own,
    name: 'me',
  });
  const inForce = () => JSON.parse(values.get('mapping-in-force') ?? '');
  return { world, agreement, replicas, state, inForce, doubt: () => world.mappingDoubt.former?.revision };
}

it('the mapping in force stays that of the last leader as long as another one is in doubt, also at the end', async () => {
  const { agreement, inForce, doubt } = scene();
  await agreement.begin();
  expect(doubt()).toBe('a');
  await agreement.follow();
  await agreement.leave();
  expect(inForce()).toMatchObject({ revision: 'a', seenAt: LATE });
});

it('the doubt ends once a newer replica has the same mapping, and not for one that has another', async () => {
  const { agreement, replicas, inForce, doubt } = scene();
  await agreement.begin();
  replicas.push(replica('other', 'c', LATE));
  await agreement.follow();
  expect(doubt()).toBe('a');
  replicas.splice(0, 1, replica('me', 'b', EARLY), replica('other', 'b', LATE));
  await agreement.follow();
  expect(doubt()).toBeUndefined();
  expect(inForce()).toMatchObject({ revision: 'b' });
});

it('a replica that read its mapping while the last leader lived does not confirm itself', async () => {
  const between = '2026-03-01T10:30:00.000Z';
  const { agreement, replicas, doubt } = scene({ readAt: between });
  replicas.push(replica('me', 'b', between));
  await agreement.begin();
  expect(doubt()).toBe('a');
  replicas.push(replica('other', 'b', between));
  await agreement.follow();
  expect(doubt()).toBeUndefined();
});

it('a file that a person gives the leader meanwhile ends the doubt', async () => {
  const { agreement, state, inForce, doubt } = scene();
  await agreement.begin();
  state.own = { ...state.own, revision: 'd', readAt: LATE };
  await agreement.follow();
  expect(doubt()).toBeUndefined();
  expect(inForce()).toMatchObject({ revision: 'd' });
});

it('a clean stop leaves the time at which the mapping was read, so that a newer one may follow', async () => {
  const { agreement, inForce } = scene({ revision: 'a' });
  await agreement.begin();
  await agreement.follow();
  expect(inForce().seenAt).not.toBe(EARLY);
  await agreement.leave();
  expect(inForce()).toEqual({ revision: 'a', readAt: EARLY, seenAt: EARLY });
});

it('a leader in observe, which writes nothing, leaves the mapping in force as it is', async () => {
  const { agreement, inForce } = scene({ mode: 'observe' });
  await agreement.follow();
  await agreement.leave();
  expect(inForce()).toMatchObject({ revision: 'a' });
});

it('everything is compared only after every directory was read', () => {
  const { agreement, world } = scene();
  world.forgetDirectory('main');
  agreement.compared();
  expect(world.mappingDoubt.comparedAt).toBeUndefined();
  world.putDirectory('main', [], world.beginRead(), 0);
  agreement.compared();
  expect(world.mappingDoubt.comparedAt).toBeDefined();
});
