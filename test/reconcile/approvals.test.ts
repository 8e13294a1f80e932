import { expect, test } from 'vitest';
import { holdKey } from '../../src/apply/decision-drafts.js';
import { guardRevocations } from '../../src/plan/guard.js';
import type { KeyRecord, RecordedHold } from '../../src/queue/journal.js';
import { applyRulings, ruleOnHold } from '../../src/reconcile/approvals.js';
import { fingerprintOf } from '../../src/reconcile/holds.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  entriesOf,
  entry,
  mapping,
  NOW,
  ourSource,
  planOf,
  rule,
  SETTINGS,
  scene,
} from '../plan/scene.js';

const guarded = mapping({
  rules: [rule('orders', 'orders')],
  maxRevocations: { percent: 0, atLeast: 0, windowMs: 1_000 },
});

const NONE_MAY_GO = { ownedAtStart: 1, used: 0, wanted: 1 };

/** The one removal that the guard holds, told by the decision of this id. */
function heldRemoval(decisionId: string) {
  const raw = planOf(
    scene({ mapping: guarded, clients: [], entries: entriesOf(entry('orders', ourSource('web', ALLOW))) }),
  );
  const plan = guardRevocations(raw, NONE_MAY_GO, guarded);
  const [hold] = plan.holds;
  if (hold === undefined) throw new Error('the guard held nothing');
  const recorded: RecordedHold = {
    subject: hold.subject,
    reason: hold.reason,
    decisionId,
    since: new Date(NOW).toISOString(),
    fingerprint: fingerprintOf(hold),
  };
  const holds: KeyRecord['holds'] = new Map([[holdKey(hold), recorded]]);
  return { raw, holds, recorded };
}

test('an approval lets the removal pass that it is about, and not the same one when it is held anew', async () => {
  const { raw, holds, recorded } = heldRemoval('first');
  const stored = new Map<string, string>();
  const facts = {
    get: async (name: string) => stored.get(name),
    set: async (name: string, value: string) => void stored.set(name, value),
    has: async () => false,
    remember: async () => {},
  };
  const refuse = () => Promise.reject(new Error('not to be called'));
  const result = await ruleOnHold(
    'first',
    'approved',
    { id: 'alice' },
    {
      facts,
      journal: {
        read: refuse,
        readAll: refuse,
        record: refuse,
        settle: refuse,
        outbox: refuse,
        published: refuse,
        overview: async () => ({
          pendingKeys: [],
          outboxLength: 0,
          holds: [{ ...recorded, key: 'destination/default/default/orders' }],
        }),
      },
      queue: { add: async () => {} },
      clock: { now: () => NOW, sleep: async () => {} },
      source: 'scopemesh/pay/test',
      world: new WorldState(guarded, SETTINGS),
      newId: () => 'id',
      onSettled: () => {},
    },
  );
  expect(result.kind).toBe('ruled');

  const ruled = await applyRulings(raw, holds, { facts });
  expect(ruled.plan.changes).toMatchObject([{ verb: 'deleted', approvedBy: { id: 'alice' } }]);
  expect(ruled.used).toMatchObject([{ subject: recorded.subject, reason: 'RevocationLimit' }]);
  expect(guardRevocations(ruled.plan, NONE_MAY_GO, guarded)).toEqual(ruled.plan);

  for (const told of [heldRemoval('second').holds, new Map()]) {
    const later = await applyRulings(raw, told, { facts });
    expect(guardRevocations(later.plan, NONE_MAY_GO, guarded)).toMatchObject({
      changes: [],
      holds: [{ reason: 'RevocationLimit' }],
    });
  }
});
