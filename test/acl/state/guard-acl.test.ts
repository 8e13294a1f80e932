import { describe, expect, it } from 'vitest';
import { NOTHING_DESIRED } from '../../../src/acl/plan/login.js';
import { guardableClient } from '../../../src/acl/state/guard-acl.js';
import type { ClientAclPlan } from '../../../src/acl/state/plan-client-acl.js';
import { holdOf } from '../../../src/plan/plan.js';
import { gain, loss, method, POLICY, policy, role, WEB } from '../apply/memory-acl.js';

const inferred = { isInferred: true } as const;
const narrowed = { ...loss.update('id', role(), role(POLICY).object, 'narrows'), ...inferred };
const widened = gain.create(method());
const plan = (changes: Partial<ClientAclPlan> = {}): ClientAclPlan => ({
  client: { provider: 'main', clientId: 'web', actorKind: 'workload' },
  subject: `acl-role/${WEB}`,
  desired: { ...NOTHING_DESIRED, roles: [{ ...role().object, serviceIdentities: ['shop'] }] },
  opensBy: [],
  isUnknown: false,
  changes: [narrowed, widened],
  holds: [],
  ...changes,
});
const guardable = (of: ClientAclPlan, rest = plan({ changes: [] })) => guardableClient(of, () => rest);

describe('a client’s plan before the guards', () => {
  it('is one loss with all inferred losses in it, which names what is left', () => {
    const scopes = [
      { ...narrowed, scopes: ['b', 'a'] },
      { ...narrowed, scopes: ['a'] },
      { ...narrowed, isInferred: false, scopes: ['reported'] },
      { ...widened, scopes: ['new'] },
    ];
    expect(guardable(plan({ changes: scopes })).losses).toEqual([
      {
        subject: `acl-role/${WEB}`,
        hold: {
          subject: `acl-role/${WEB}`,
          resource: { kind: 'acl-role', name: WEB },
          reason: 'RevocationLimit',
          detail: 'approved',
          action: 'revoke',
          client: { provider: 'main', clientId: 'web', actorKind: 'workload' },
          scopes: ['a', 'b'],
          leaves: JSON.stringify([[[], ['shop']]]),
        },
      },
    ]);
    expect(guardable(plan({ changes: [widened, { ...narrowed, isInferred: false }] })).losses).toEqual([]);
  });

  it('without the loss has the holds of the rest, but not what only the mode forbids', () => {
    const rest = plan({
      changes: [widened],
      holds: [holdOf(widened, 'ModeForbids', ''), holdOf(widened, 'ForeignObject', '')],
    });
    const kept = guardable(plan(), rest).keeping(new Set());
    expect(kept.changes).toEqual([widened]);
    expect(kept.holds.map(({ reason }) => reason)).toEqual(['ForeignObject']);
  });

  it('names who approved the loss of this client, and nobody for that of another', () => {
    const { approved } = guardable(plan());
    expect(approved(narrowed, new Map([[`acl-role/${WEB}`, { id: 'ann' }]])).approvedBy).toEqual({
      id: 'ann',
    });
    expect(approved(narrowed, new Map([['acl-role/other', { id: 'ann' }]]))).toEqual(narrowed);
  });
});

describe('the changes without those that are held', () => {
  const without = (held: readonly (typeof widened)[], isFrozen = false, changes = [narrowed, widened]) =>
    guardable(plan()).without?.(changes, new Set(held), isFrozen);

  it('are all where none is held', () => {
    expect(without([])).toEqual([narrowed, widened]);
  });

  it('are those that narrow, as each that widens may need the one that is held', () => {
    const other = gain.create(policy());
    expect(without([widened], false, [other, narrowed, widened])).toEqual([narrowed]);
    expect(without([narrowed])).toEqual([]);
  });

  it('remember of one object what is held of it, but not in a freeze, after which it is made', () => {
    const more = gain.update('id', role('more'), role().object, 'widens');
    expect(without([more], false, [narrowed, more])).toEqual([{ ...narrowed, remembered: role('more') }]);
    expect(without([more], true, [narrowed, more])).toEqual([narrowed]);
    const removal = loss.remove('id', role(POLICY));
    expect(without([removal], false, [narrowed, removal])).toEqual([narrowed]);
  });
});
