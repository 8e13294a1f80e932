import { expect, test } from 'vitest';
import { forgetRulings, ruleOnHold, rulingsOn } from '../../src/operator/approvals.js';
import { guardableEdges } from '../../src/plan/guards/edges.js';
import { fingerprintOf, holdKey } from '../../src/plan/holds.js';
import type { KeyRecord, RecordedHold } from '../../src/queue/journal.js';
import { WorldState } from '../../src/state/world-state.js';
import { guarded } from '../plan/guarded.js';
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
import { depsOf } from '../reconcile/deps.js';
import { storeVerdict } from './stored-verdict.js';

const limited = mapping({
  rules: [rule('orders', 'orders')],
  maxRevocations: { percent: 0, atLeast: 0, windowMs: 1_000 },
});

const { maxRevocations } = limited;
const budget = { ownedAtStart: 1, used: 0, planned: 1, maxRevocations };

/** The one removal that the guard holds, reported by the decision with this id. */
function heldRemoval(decisionId: string) {
  const raw = planOf(
    scene({ mapping: limited, clients: [], entries: entriesOf(entry('orders', ourSource('web', ALLOW))) }),
  );
  const [hold] = guarded(raw, { budget }).holds;
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

test('an approval releases its own removal, and not the same one when it is held again', async () => {
  const { raw, holds, recorded } = heldRemoval('first');
  const { deps } = depsOf(new WorldState(limited, SETTINGS), {});
  await deps.journal.settle('destination/default/default/orders', [], { holds });
  expect((await ruleOnHold('first', 'approved', { id: 'alice' }, deps)).kind).toBe('ruled');

  const { losses } = guardableEdges(raw);
  const ruled = guarded(raw, { budget, rulings: await rulingsOn(losses, holds, deps) });
  expect(ruled.changes).toMatchObject([{ verb: 'deleted', approvedBy: { id: 'alice' } }]);
  expect(ruled.used).toMatchObject([{ subject: recorded.subject, reason: 'RevocationLimit' }]);
  expect(ruled.holds).toEqual(raw.holds);

  for (const recordedHolds of [heldRemoval('second').holds, new Map()]) {
    const later = guarded(raw, { budget, rulings: await rulingsOn(losses, recordedHolds, deps) });
    expect(later).toMatchObject({ changes: [], holds: [{ reason: 'RevocationLimit' }] });
  }
  const released = async () => (await rulingsOn(losses, holds, deps)).size;
  await storeVerdict(deps, { ...recorded, fingerprint: 'of another removal' }, 'approved', 'alice');
  expect(await released()).toBe(0);
  await storeVerdict(deps, recorded, 'approved', 'alice');
  expect(await released()).toBe(1);
  await forgetRulings(raw.holds.concat(losses.map(({ hold }) => hold)), deps);
  expect(await released()).toBe(0);
});
