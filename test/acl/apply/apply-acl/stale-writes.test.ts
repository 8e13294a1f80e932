import { expect, it } from 'vitest';
import { applyAcl } from '../../../../src/acl/apply/apply-acl.js';
import type { AclChange } from '../../../../src/acl/plan/acl-change.js';
import { NEVER } from '../../../apply/apply-rig.js';
import { application, gain, memoryAcl, method, policy, role, rule } from '../memory-acl.js';

it.each(['acl-policy', 'acl-role', 'acl-auth-method', 'acl-binding-rule'])(
  'of writes that widen together none is made where one is no longer as planned: %s',
  async (kind) => {
    const consul = memoryAcl();
    const changes = [policy(), role(), method(), rule()].map(gain.create);
    const isAsPlanned = ({ resource }: AclChange) => resource.kind !== kind;
    expect(await applyAcl(application(changes, { isAsPlanned }), consul.deps, NEVER)).toBe('stale');
    expect(consul.log.filter((line) => line.startsWith('create'))).toEqual([]);
    expect([consul.settled.length, consul.pending.size]).toEqual([0, 0]);
  },
);
