import { expect, test, vi } from 'vitest';
import { endHoldsOfOtherOwners } from '../../../src/acl/apply/end-holds-of-other-owners.js';
import { clientKey, formatKey, leftObjectsKey } from '../../../src/model/key.js';
import { holdKey } from '../../../src/plan/holds.js';
import { CAUSE } from '../../apply/apply-rig.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';

const OWN = leftObjectsKey('pay');
const OLD = leftObjectsKey('shop');
const CLIENT = formatKey(clientKey('main', 'web'));

/** Each key has two recorded holds and a rejection of the first. */
async function rig() {
  const { deps, decisions } = depsOf(worldWithTwo(), {});
  const subjectOf = (key: string, at: number) => `acl-role/${key.replaceAll('/', '-')}-${at}`;
  for (const key of [OWN, OLD, CLIENT]) {
    const holds = [1, 2].map((at) => {
      const of = { subject: subjectOf(key, at), reason: 'RevocationLimit' } as const;
      return [holdKey(of), { ...of, decisionId: `d${at}`, since: '', detail: '', fingerprint: '' }] as const;
    });
    await deps.journal.settle(key, [], { holds: new Map(holds) });
    deps.window.rejections.put(key, new Map([[subjectOf(key, 1), { by: { id: 'ann' }, at: '' }]]));
  }
  return {
    deps,
    decisions,
    end: async () => endHoldsOfOtherOwners((await deps.journal.overview()).holds, CAUSE, deps),
    holds: async (key: string) => (await deps.journal.read(key)).holds.size,
    isRejected: (key: string) => deps.window.rejections.of(subjectOf(key, 1)) !== undefined,
  };
}

test('the holds of objects of another owner end with a decision each, and its rejections end', async () => {
  const { decisions, end, holds, isRejected } = await rig();
  await end();
  expect([await holds(OLD), isRejected(OLD)]).toEqual([0, false]);
  expect(decisions.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['observed', 'HoldEnded'],
    ['observed', 'HoldEnded'],
  ]);
});

test('the holds of this owner and of other keys go on with their rejections', async () => {
  const { end, holds, isRejected } = await rig();
  await end();
  expect([await holds(OWN), await holds(CLIENT)]).toEqual([2, 2]);
  expect([isRejected(OWN), isRejected(CLIENT)]).toEqual([true, true]);
});

test('each key of another owner is looked at once, and no other key', async () => {
  const { deps, end } = await rig();
  const read = vi.spyOn(deps.journal, 'read');
  await end();
  expect(read.mock.calls).toEqual([[OLD]]);
});
