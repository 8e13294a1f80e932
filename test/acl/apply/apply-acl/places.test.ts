import { expect, it } from 'vitest';
import { applyAcl } from '../../../../src/acl/apply/apply-acl.js';
import { WritePlaces } from '../../../../src/acl/apply/write-places.js';
import { WriteLimit } from '../../../../src/queue/write-limit.js';
import { NEVER } from '../../../apply/apply-rig.js';
import { NOW } from '../../../plan/scene.js';
import {
  application,
  gain,
  loss,
  type MemoryAcl,
  memoryAcl,
  method,
  narrowRole,
  POLICY,
  policy,
  removePolicy,
  role,
  rule,
} from '../memory-acl.js';

/** Notes for each write that takes a place whether it is urgent. */
function noting(consul: MemoryAcl) {
  const taken: string[] = [];
  let isTaken = '';
  consul.before = async (line) => {
    if (/^(create|replace|delete|end) /.test(line))
      taken.push(`${isTaken}${line.replaceAll('scopemesh-', '')}`);
  };
  const deps: MemoryAcl['deps'] = {
    ...consul.deps,
    writePlaces: {
      async run(work, isUrgent) {
        isTaken = isUrgent ? 'urgent: ' : 'ordinary: ';
        return work().finally(() => {
          isTaken = '';
        });
      },
    },
  };
  return { deps, taken };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

it('writes are urgent up to the last one that narrows, and those that fetch keys take no place', async () => {
  const consul = memoryAcl();
  consul.put(role(POLICY), policy(), rule());
  const { deps, taken } = noting(consul);
  const changes = [
    gain.create(policy({ name: 'scopemesh-new' })),
    narrowRole(),
    loss.remove(`acl-binding-rule-${rule().object.authMethod}`, rule()),
    gain.create(method()),
    gain.create(policy({ name: 'scopemesh-more' })),
    removePolicy(),
  ];
  await applyAcl(application(changes), deps, NEVER);
  expect(taken.map((line) => line.split(' ').slice(0, -1).join(' '))).toEqual([
    'urgent: create',
    'urgent: replace',
    'urgent: delete',
    'create',
    'ordinary: create',
    'ordinary: delete',
  ]);
});

/** One place, which another write has until the test ends it. */
function fullPlaces() {
  const places = new WritePlaces(new WriteLimit({ least: 1, first: 1, most: 1 }, { now: () => NOW }), 1);
  let end = () => {};
  const other = places.run(
    () =>
      new Promise<void>((resolve) => {
        end = resolve;
      }),
    false,
    NEVER,
  );
  return { places, end: () => end(), other };
}

it('a write that waited for its place is not made if the plan changed meanwhile', async () => {
  const consul = memoryAcl();
  const { places, end, other } = fullPlaces();
  let isAsPlanned = true;
  const applied = applyAcl(
    application([gain.create(role())], { isAsPlanned: () => isAsPlanned }),
    { ...consul.deps, writePlaces: places },
    NEVER,
  );
  await turn();
  expect(consul.pending.size).toBe(1);
  isAsPlanned = false;
  end();
  expect(await applied).toBe('stale');
  await other;
  expect(consul.requests()).toEqual([]);
  expect(consul.pending.size).toBe(0);
  expect(consul.settled).toEqual([]);
});

it('a write that waited for room among those that fetch keys is not made either', async () => {
  const consul = memoryAcl();
  const { keyFetches } = consul.deps.acl;
  const ends: (() => void)[] = [];
  const hang = () => new Promise<void>((resolve) => ends.push(resolve));
  const others = Array.from({ length: 4 }, () => keyFetches.run(hang, consul.deps.clock, NEVER));
  let isAsPlanned = true;
  const applied = applyAcl(
    application([gain.create(method())], { isAsPlanned: () => isAsPlanned }),
    {
      ...consul.deps,
      clock: {
        ...consul.deps.clock,
        // Until the test makes room.
        sleep: (_ms, signal) =>
          new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true })),
      },
    },
    NEVER,
  );
  await turn();
  isAsPlanned = false;
  for (const end of ends) end();
  expect(await applied).toBe('stale');
  await Promise.all(others);
  expect(consul.requests()).toEqual([]);
});

it('a write that waits ends with the signal, and its drafts with it', async () => {
  const consul = memoryAcl();
  const { places, end, other } = fullPlaces();
  const stop = new AbortController();
  const applied = applyAcl(
    application([gain.create(role())]),
    { ...consul.deps, writePlaces: places },
    stop.signal,
  );
  await turn();
  stop.abort(new Error('lost'));
  await expect(applied).rejects.toThrow('lost');
  end();
  await other;
  expect(consul.requests()).toEqual([]);
  expect(consul.pending.size).toBe(0);
});
