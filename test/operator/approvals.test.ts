import { expect, test } from 'vitest';
import { AclState } from '../../src/acl/apply/acl-state.js';
import { forgetRulings, ruleOnHold, rulingsOn } from '../../src/operator/approvals.js';
import { guardableEdges } from '../../src/plan/guards/edges.js';
import { fingerprintOf, holdKey } from '../../src/plan/holds.js';
import type { KeyRecord, RecordedHold } from '../../src/queue/journal.js';
import { KeyedMutex } from '../../src/state/mutex.js';
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
  const stored = new Map<string, string>();
  const keyValues = {
    get: async (name: string) => stored.get(name),
    set: async (name: string, value: string) => void stored.set(name, value),
    has: async () => false,
    replace: async () => true,
    remember: async () => {},
  };
  const refuse = () => Promise.reject(new Error('not to be called'));
  const result = await ruleOnHold(
    'first',
    'approved',
    { id: 'alice' },
    {
      rulingTurns: new KeyedMutex(),
      keyValues,
      journal: {
        read: refuse,
        readAll: refuse,
        record: refuse,
        settle: refuse,
        outbox: refuse,
        published: refuse,
        overview: async () => ({
          holdCounts: {},
          pendingKeys: [],
          outboxLength: 0,
          holds: [{ ...recorded, key: 'destination/default/default/orders' }],
        }),
      },
      queue: { add: async () => {} },
      askForSweep: () => {},
      clock: { now: () => NOW, sleep: async () => {} },
      source: 'scopemesh/pay/test',
      world: new WorldState(limited, SETTINGS),
      acl: new AclState(),
      newId: () => 'id',
      onSettled: () => {},
    },
  );
  expect(result.kind).toBe('ruled');

  const { losses } = guardableEdges(raw);
  const ruled = guarded(raw, { budget, rulings: await rulingsOn(losses, holds, { keyValues }) });
  expect(ruled.changes).toMatchObject([{ verb: 'deleted', approvedBy: { id: 'alice' } }]);
  expect(ruled.used).toMatchObject([{ subject: recorded.subject, reason: 'RevocationLimit' }]);
  expect(ruled.holds).toEqual(raw.holds);

  for (const recordedHolds of [heldRemoval('second').holds, new Map()]) {
    const later = guarded(raw, { budget, rulings: await rulingsOn(losses, recordedHolds, { keyValues }) });
    expect(later).toMatchObject({ changes: [], holds: [{ reason: 'RevocationLimit' }] });
  }
  const released = async () => (await rulingsOn(losses, holds, { keyValues })).size;
  const name = `approval/${recorded.subject}`;
  const ruling = stored.get(name) ?? '';
  stored.set(name, JSON.stringify({ ...JSON.parse(ruling), fingerprint: 'of another removal' }));
  expect(await released()).toBe(0);
  stored.set(name, ruling);
  expect(await released()).toBe(1);
  await forgetRulings(raw.holds.concat(losses.map(({ hold }) => hold)), { keyValues });
  expect(await released()).toBe(0);
});
