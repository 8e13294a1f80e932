import { describe, expect, it } from 'vitest';
import { holdOf } from '../../../src/plan/plan.js';
import { gain, loss, role, WEB } from '../../acl/apply/memory-acl.js';

const PERSON = { provider: 'main', subject: 'ann', group: 'oncall', actorKind: 'human' } as const;

describe('a hold of an ACL change', () => {
  it('says what is held, why, and for whom', () => {
    const change = loss.update('id', role(), role('a').object, 'narrows');
    expect(holdOf({ ...change, person: PERSON }, 'RevocationLimit', 'too many')).toEqual({
      subject: `acl-role/${WEB}`,
      resource: { kind: 'acl-role', name: WEB },
      reason: 'RevocationLimit',
      detail: 'too many',
      action: 'revoke',
      scopes: ['config:read'],
      client: { provider: 'main', clientId: 'web', actorKind: 'workload' },
      person: PERSON,
    });
  });

  it('says why the change would be made where only the mode forbids it, and nobody where nobody is known', () => {
    const { client: _, ...change } = gain.create(role());
    const hold = holdOf(change, 'ModeForbids', '');
    expect(hold.changeReason).toBe('ScopeGranted');
    expect(Object.keys(hold)).not.toContain('client');
    expect(Object.keys(hold)).not.toContain('person');
    expect(holdOf(change, 'Frozen', '').changeReason).toBe('ScopeGranted');
    expect(Object.keys(holdOf(change, 'RevocationLimit', ''))).not.toContain('changeReason');
  });
});
