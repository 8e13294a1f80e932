import { expect, it } from 'vitest';
import { clientKey, formatKey } from '../../src/model/key.js';
import { adoptRequested } from '../../src/operator/adopt-requested.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';
import { createMovableClock } from '../support/movable-clock.js';

it('no adoption waits forever when its job ends before its turn', async () => {
  const { deps } = depsOf(worldWithTwo(), {});
  const key = clientKey('main', 'web');
  const clock = createMovableClock();
  const asked = ['a', 'b'].map((subject) =>
    deps.adoptions.ask({ key, subjects: new Set([subject]), by: { id: 'os:alice' } }, async () => {}, clock),
  );
  const refused = Promise.all(asked.map((each) => expect(each).rejects.toThrow('the lease is lost')));
  const lost = AbortSignal.abort(new Error('the lease is lost'));
  await expect(adoptRequested(key, deps, lost)).rejects.toThrow('the lease is lost');
  await refused;
  expect(deps.adoptions.take(formatKey(key))).toEqual([]);
});
