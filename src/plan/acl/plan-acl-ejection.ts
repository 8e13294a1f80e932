import type { AclObject, AclSnapshot } from '../../model/acl.js';
import type { AclChange } from './acl-change.js';
import { createSteps } from './acl-steps.js';
import { ownedAcl } from './owned-acl.js';

/**
 * Takes the mark from the Description of every owned ACL object. The names stay, although they begin with the owner: logins
 * name the auth methods, and binding rules the roles. Without the mark nothing of them is owned.
 */
export function planAclEjection(owner: string, snapshot: AclSnapshot): readonly AclChange[] {
  const steps = createSteps({
    why: () => ({ reason: 'Ejected', isInferred: false, scopes: [] }),
    lastApplied: new Map(),
  });
  const { policies, roles, authMethods, bindingRules } = ownedAcl(owner, snapshot);
  const eject = (id: string, target: AclObject) => {
    const before = target.object;
    return steps.update(id, withoutDescription(target), before, 'neither');
  };
  return [
    ...[...policies.values()].map(({ id, object }) => eject(id, { kind: 'acl-policy', object })),
    ...[...roles.values()].map(({ id, object }) => eject(id, { kind: 'acl-role', object })),
    // A rule is owned by the mark of its own, so the order of the two does not matter.
    ...bindingRules.map(({ id, object }) => eject(id, { kind: 'acl-binding-rule', object })),
    ...[...authMethods.values()].map(({ id, object }) => eject(id, { kind: 'acl-auth-method', object })),
  ];
}

function withoutDescription(target: AclObject): AclObject {
  switch (target.kind) {
    case 'acl-policy':
      return { ...target, object: { ...target.object, description: '' } };
    case 'acl-role':
      return { ...target, object: { ...target.object, description: '' } };
    case 'acl-auth-method':
      return { ...target, object: { ...target.object, description: '' } };
    case 'acl-binding-rule':
      return { ...target, object: { ...target.object, description: '' } };
  }
}
